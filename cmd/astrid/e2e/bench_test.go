package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/cli"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/client"
	"github.com/unicity-astrid/astrid-go/kernel/home"
)

// report prints one line of `make bench`: a figure, what it is measured against, the ratio.
func report(name string, value float64, unit string, reference float64) {
	fmt.Printf("BENCH %s %.4g %s %.4g %.3g\n", name, value, unit, reference, value/reference)
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func median(ds []time.Duration) time.Duration {
	slices.Sort(ds)
	return ds[len(ds)/2]
}

// boot runs `astrid start` and returns how long the daemon took from the start of its
// process to ready, as the client that waited for it saw it.
func boot(b *testing.B, x *box) time.Duration {
	began := time.Now()
	x.run("", "start").want(b, 0)
	took := time.Since(began)
	x.run("", "stop").want(b, 0)
	return took
}

// BenchmarkReportBootWarm: process start to ready with compiled capsules, whole default distro.
func BenchmarkReportBootWarm(b *testing.B) {
	x := newBox(b, offline)
	boot(b, x) // makes keys and the database
	var took []time.Duration
	for range 5 {
		took = append(took, boot(b, x))
	}
	report("boot_warm", ms(median(took)), "ms", 1000)
}

// BenchmarkReportFirstAnswer: from nothing to the answer of a first prompt, which starts the daemon and needs the code of most
// capsules.
func BenchmarkReportFirstAnswer(b *testing.B) {
	x := newBox(b, offline)
	boot(b, x)
	var took []time.Duration
	for range 5 {
		began := time.Now()
		x.run("", "-p", "hello").want(b, 0, "offline")
		took = append(took, time.Since(began))
		x.run("", "stop").want(b, 0)
	}
	report("first_answer", ms(median(took)), "ms", 2000)
}

// BenchmarkReportBootCold: the same when everything must be compiled.
func BenchmarkReportBootCold(b *testing.B) {
	x := newBox(b, offline)
	if err := os.RemoveAll(filepath.Join(x.home, "var/cache")); err != nil {
		b.Fatal(err)
	}
	report("boot_cold", ms(boot(b, x)), "ms", 30_000)
}

// BenchmarkReportTurnOverhead: a turn without tools against the request that it sends,
// sent by a bare HTTP client to the same server.
func BenchmarkReportTurnOverhead(b *testing.B) {
	const rounds = 25
	x := newBox(b, withFake)
	x.run("", "start").want(b, 0)
	h, err := home.New(x.home)
	if err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	conn, err := client.Dial(ctx, h, cli.Version)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Subscribe(ctx, abi.ClientSubscribe{Topics: []string{abi.TopicAgentResponse}, Sessions: []string{"*"}}); err != nil {
		b.Fatal(err)
	}
	var turns, bare []time.Duration
	for i := range rounds + 1 {
		session := uuid.NewString()
		began := time.Now()
		if err := conn.Publish(ctx, abi.TopicUserPrompt, session, x.ws, abi.UserInput{Text: fmt.Sprintf("mark-overhead %d", i), SessionID: session}); err != nil {
			b.Fatal(err)
		}
		m, ok := <-conn.Messages()
		if !ok || !strings.Contains(string(m.Payload), "mark-overhead") {
			b.Fatalf("%s %v", m.Payload, conn.Err())
		}
		if i > 0 { // the first makes the instances
			turns = append(turns, time.Since(began))
		}
	}
	reqs := requestsWith("mark-overhead 1")
	if len(reqs) == 0 || !json.Valid(reqs[0].Raw) {
		b.Fatal("the request was not seen")
	}
	for range rounds {
		began := time.Now()
		resp, err := http.Post(fakeURL+"/v1/chat/completions", "application/json", strings.NewReader(string(reqs[0].Raw)))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			b.Fatal(err)
		}
		resp.Body.Close()
		bare = append(bare, time.Since(began))
	}
	report("turn_overhead", ms(median(turns)-median(bare)), "ms", 60)
}

// BenchmarkReportPrompts: a hundred prompts at once, each a process and a session of its own, with
// three tool calls each, against as many times one alone. Every answer must be right, and the
// daemon's memory must come back.
func BenchmarkReportPrompts(b *testing.B) {
	const n, alone = 100, 5
	x := newBox(b, withFake)
	x.run("", "start").want(b, 0)
	for i := range n {
		x.write(fmt.Sprintf("f%d.txt", i), fmt.Sprintf("text of %d\n", i))
	}
	began := time.Now()
	for i := range alone {
		askThree(b, x, i).wait().want(b, 0, fmt.Sprintf("text of %d", i))
	}
	single := time.Since(began) / alone
	before := rss(b, pid(b, x.home))
	began = time.Now()
	var ps []*process
	for i := range n {
		ps = append(ps, askThree(b, x, i))
	}
	took := make([]time.Duration, n)
	var wg sync.WaitGroup
	for i, p := range ps {
		wg.Go(func() {
			r := p.wait()
			took[i] = time.Since(began)
			if err := threeTold(r, i); err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
	total := time.Since(began)
	slices.Sort(took)
	report("prompts_100", ms(total), "ms", ms(single*n))
	report("prompts_100_p99", ms(took[n*99/100-1]), "ms", ms(total))
	// What was needed at the peak is given back: idle instances go after half a minute.
	after := rss(b, pid(b, x.home))
	for deadline := time.Now().Add(60 * time.Second); after > before*1.1 && time.Now().Before(deadline); after = rss(b, pid(b, x.home)) {
		time.Sleep(time.Second)
	}
	report("prompts_100_rss", after, "MiB", before)
}

// rss is the memory that a process has, in MiB.
func rss(t testing.TB, pid int) float64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var kb float64
		if _, err := fmt.Sscanf(line, "VmRSS: %f kB", &kb); err == nil {
			return kb / 1024
		}
	}
	t.Fatal("no VmRSS")
	return 0
}
