package tui

import (
	"bytes"
	"flag"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/gomonobold"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

var shots = flag.Bool("shots", false, "write the pictures of the README again")

const cellWidth, cellHeight, baseline = 9, 18, 14

// The font has no such signs; these are as wide.
var substitutes = strings.NewReplacer("❯", ">", "▸", "►", "✓", "√", "✗", "x", "○", "○", "⠋", "*", "⠙", "*", "⠸", "*", "⠴", "*", "⠦", "*", "⠇", "*")

// TestScreenshots renders the main states as pictures: those in the README are what the
// screen shows. -shots writes them.
func TestScreenshots(t *testing.T) {
	for _, name := range []string{"edits", "diff-list", "audit"} {
		b := newBench(t, 100, 26)
		states[name](b)
		picture := paint(t, b.View().Content, 100, 26)
		path := filepath.Join("testdata", "shots", name+".png")
		if *shots {
			var out bytes.Buffer
			if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, picture); err != nil {
				t.Fatal(err)
			}
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		kept, err := png.Decode(f)
		if cerr := f.Close(); err != nil || cerr != nil {
			t.Fatal(err, cerr)
		}
		if !same(picture, kept) {
			t.Errorf("%s is not what the screen shows: go test ./cmd/astrid/tui -run Screenshots -shots", path)
		}
	}
}

func same(a, b image.Image) bool {
	if a.Bounds() != b.Bounds() {
		return false
	}
	for y := range a.Bounds().Dy() {
		for x := range a.Bounds().Dx() {
			if color.RGBAModel.Convert(a.At(x, y)) != color.RGBAModel.Convert(b.At(x, y)) {
				return false
			}
		}
	}
	return true
}

// paint draws a frame. The few colours of a terminal with 32 steps between them keep the
// files small.
func paint(t *testing.T, content string, width, height int) image.Image {
	t.Helper()
	face := func(ttf []byte) font.Face {
		f, err := opentype.Parse(ttf)
		if err != nil {
			t.Fatal(err)
		}
		face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: 15, DPI: 72, Hinting: font.HintingFull})
		if err != nil {
			t.Fatal(err)
		}
		return face
	}
	plain, bold := face(gomono.TTF), face(gomonobold.TTF)
	ground := color.RGBA{0x16, 0x18, 0x1d, 0xff}
	img := image.NewRGBA(image.Rect(0, 0, (width+2)*cellWidth, (height+1)*cellHeight))
	draw.Draw(img, img.Bounds(), image.NewUniform(ground), image.Point{}, draw.Src)
	for row, text := range strings.Split(substitutes.Replace(content), "\n") {
		p := painter{fg: color.RGBA{0xd8, 0xda, 0xde, 0xff}}
		normal := p
		for col := 0; text != ""; {
			if n := sgr(text); n > 0 {
				p.style(text[2:n-1], normal)
				text = text[n:]
				continue
			}
			g, w := cluster(text)
			text = text[len(g):]
			x, y := (col+1)*cellWidth, row*cellHeight+cellHeight/2
			ink := p.fg
			if p.reverse {
				draw.Draw(img, image.Rect(x, y, x+w*cellWidth, y+cellHeight), image.NewUniform(p.fg), image.Point{}, draw.Src)
				ink = ground
			}
			d := font.Drawer{Dst: img, Src: image.NewUniform(ink), Face: plain, Dot: fixed.P(x, y+baseline)}
			if p.bold {
				d.Face = bold
			}
			d.DrawString(g)
			col += w
		}
	}
	for i, v := range img.Pix {
		if i%4 != 3 {
			img.Pix[i] = v &^ 7
		}
	}
	return img
}

// painter is the state of the terminal's pen.
type painter struct {
	fg            color.RGBA
	bold, reverse bool
}

func (p *painter) style(params string, normal painter) {
	list := strings.Split(params, ";")
	for i := 0; i < len(list); i++ {
		n, _ := strconv.Atoi(list[i]) // "" is 0
		switch {
		case n == 0:
			*p = normal
		case n == 1:
			p.bold = true
		case n == 7:
			p.reverse = true
		case n == 22:
			p.bold = false
		case n == 27:
			p.reverse = false
		case n == 39:
			p.fg = normal.fg
		case n >= 30 && n < 38, n >= 90 && n < 98:
			index := n - 30
			if n >= 90 {
				index = n - 82
			}
			p.fg = rgba(ansi.IndexedColor(index))
		case n == 38 && i+2 < len(list) && list[i+1] == "5":
			index, _ := strconv.Atoi(list[i+2])
			p.fg = rgba(ansi.IndexedColor(index))
			i += 2
		case (n == 38 || n == 48) && i+4 < len(list) && list[i+1] == "2":
			if n == 38 {
				var c [3]int
				for j := range c {
					c[j], _ = strconv.Atoi(list[i+2+j])
				}
				p.fg = color.RGBA{uint8(c[0]), uint8(c[1]), uint8(c[2]), 0xff}
			}
			i += 4
		case n == 48 && i+2 < len(list):
			i += 2
		}
	}
}

func rgba(c color.Color) color.RGBA {
	r, g, b, _ := c.RGBA()
	return color.RGBA{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8), 0xff}
}
