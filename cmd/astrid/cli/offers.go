package cli

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/unicity-astrid/astrid-go/kernel/home"
	"github.com/unicity-astrid/astrid-go/kernel/trust"
)

// listOffers says which capsules a project has that could be installed.
func (s System) listOffers(workspace string) error {
	offers, err := trust.Offers(workspace)
	if err != nil || len(offers) == 0 {
		return err
	}
	text, err := s.offersText(workspace, offers)
	if err == nil {
		s.notef("%s", text)
	}
	return err
}

// newOffers is a note about those capsules of the project here that nobody was told of, "" if there are none. What keeps it from
// being known is said in its place: work goes on without.
func (s System) newOffers() string {
	text, err := func() (string, error) {
		h, err := home.Resolve(s.Getenv)
		if err != nil {
			return "", err
		}
		w, err := s.here()
		if err != nil {
			return "", err
		}
		offers, err := trust.Open(h).Mention(w.Root())
		if err != nil || len(offers) == 0 {
			return "", err
		}
		return s.offersText(w.Root(), offers)
	}()
	if err != nil {
		return fmt.Sprintf("the project's capsules: %v", err)
	}
	return text
}

func (s System) offersText(workspace string, offers []string) (string, error) {
	dir, err := s.directory()
	if err != nil {
		return "", err
	}
	from, err := filepath.Rel(dir, filepath.Join(workspace, filepath.FromSlash(trust.OffersDir)))
	if err != nil {
		return "", err
	}
	noun := "a capsule"
	if len(offers) > 1 {
		noun = "capsules"
	}
	return fmt.Sprintf("this project offers %s: %s; nothing of it runs unless you install it: `astrid capsule install %s` shows first what it may do",
		noun, strings.Join(offers, ", "), filepath.Join(from, offers[0])), nil
}
