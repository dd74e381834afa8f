package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode"
)

const stateFile = ".report-downloader.json"

// state is what is known of the reports' folder. When it is lost, reports that are here
// and whole are found again by their digests.
type state struct {
	Slate    string            `json:"slate"`
	Accounts map[string]string `json:"accounts"` // names by ids
	Leaves   map[string]*shelf `json:"leaves"`   // by the ids on the way there
}

// shelf is the folder of one report type.
type shelf struct {
	// Folder stays when names change.
	Folder string `json:"folder"`
	// Since is the newest modifiedDate that all is here of.
	Since string `json:"since"`
	// Reports are by their files' names.
	Reports map[string]held `json:"reports"`
}

// held is a report that is here. One without activity has no file.
type held struct {
	ID       string `json:"id"`
	Version  int64  `json:"version"`
	Modified string `json:"modified"`
	Bytes    int64  `json:"bytes"`
	Digest   string `json:"sha256"`
}

func readState(folder, address string) (*state, error) {
	s := &state{Slate: address, Accounts: map[string]string{}, Leaves: map[string]*shelf{}}
	text, err := os.ReadFile(filepath.Join(folder, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(text, s)
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w (the file can be removed: reports that are here stay)", filepath.Join(folder, stateFile), err)
	case s.Slate != address:
		return nil, fmt.Errorf("the reports in %s are from %s: name another folder with --to", folder, s.Slate)
	}
	return s, nil
}

func (s *state) write(folder string) error {
	text, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return err
	}
	return replace(filepath.Join(folder, stateFile), append(text, '\n'))
}

// shelf finds the place of a report type, or makes one.
func (s *state) shelf(l leaf) *shelf {
	key := strings.Join([]string{l.account.ID, l.group.ID, l.channel.ID, l.kind.ID}, "/")
	if s.Leaves[key] == nil {
		folder := l.folder()
		for _, other := range s.Leaves {
			if strings.EqualFold(other.Folder, folder) { // some disks do not tell them apart
				folder += " " + fileName(l.channel.ID+" "+l.kind.ID)
				break
			}
		}
		s.Leaves[key] = &shelf{Folder: folder, Reports: map[string]held{}}
	}
	return s.Leaves[key]
}

// fileName makes a name for a file out of a server's words: no path, nothing hidden,
// and what every system takes.
func fileName(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '_'
		}
		return r
	}, s)
	if len(s) > 120 {
		s = strings.ToValidUTF8(s[:120], "")
	}
	s = strings.TrimRight(s, ". ")
	if s == "" || strings.HasPrefix(s, ".") {
		s = "_" + s
	}
	return s
}
