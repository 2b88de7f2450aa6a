package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"github.com/unicity-astrid/astrid-go/capsule"
)

// bakeTopics inlines the schemas of the declared topics, so that readers need no file of the capsule.
func bakeTopics(root *os.Root, m *capsule.Manifest) ([]capsule.MetaTopic, error) {
	var topics []capsule.MetaTopic
	for _, t := range m.Topics {
		topic := capsule.MetaTopic{Name: t.Name, Direction: t.Direction, Description: t.Description}
		if t.Schema != "" {
			data, err := readRegular(root, path.Clean(t.Schema), MaxSchemaSize)
			if err != nil {
				return nil, fmt.Errorf("schema of topic %s: %w", t.Name, err)
			}
			if !json.Valid(data) {
				return nil, fmt.Errorf("schema of topic %s: %w: %s is not JSON", t.Name, ErrBadPackage, t.Schema)
			}
			topic.Schema = data
		}
		topics = append(topics, topic)
	}
	return topics, nil
}

// readWit reads wit/*.wit.
func readWit(root *os.Root) (map[string][]byte, error) {
	entries, err := fs.ReadDir(root.FS(), "wit")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, e := range entries {
		if path.Ext(e.Name()) != ".wit" || e.IsDir() {
			continue
		}
		data, err := readRegular(root, "wit/"+e.Name(), MaxSchemaSize)
		if err != nil {
			return nil, fmt.Errorf("interface file: %w", err)
		}
		files[e.Name()] = data
	}
	return files, nil
}

// hashTree returns the hash of every file below root, by slash-separated path.
func hashTree(root *os.Root) (map[string]string, error) {
	files := map[string]string{}
	err := fs.WalkDir(root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := readRegular(root, name, MaxFileSize)
		if err != nil {
			return err
		}
		files[name] = capsule.Hash(data)
		return nil
	})
	return files, err
}
