package keyring

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	// lineWord begins the line of a key; its number is the version of the format.
	lineWord = "gatelodge-kek-1"
	// maxSize is far more than a key file ever has.
	maxSize = 64 << 10
	// preamble is the comment at the head of a new file.
	preamble = `# Key-encryption keys of Gatelodge, newest first. Without this file the secrets in
# the database cannot be read: keep a copy, apart from the copies of the database.
`
)

// PermissionError says that others than the owner may use the key file.
type PermissionError struct {
	Path string
	Mode fs.FileMode
}

func (e *PermissionError) Error() string {
	return fmt.Sprintf("key file %s can be used by others than its owner (mode %04o): run chmod 600 on it", e.Path, e.Mode)
}

// SyntaxError says which line of a key file cannot be read. It never repeats what
// stands there.
type SyntaxError struct {
	Path    string
	Line    int
	Problem string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("key file %s, line %d: %s", e.Path, e.Line, e.Problem)
}

// Load reads a key file.
func Load(path string) (*Ring, error) {
	keys, err := read(path)
	if err != nil {
		return nil, err
	}
	return newRing(path, keys), nil
}

// Create makes a key file with one key. It refuses, with fs.ErrExist, to replace a
// file. Whoever looks at the path sees no file or a whole one.
func Create(path string) (*Ring, error) {
	k, err := generate(nil)
	if err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.new") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("make key file: %w", err)
	}
	defer os.Remove(f.Name())
	err = writeAndSync(f, preamble+line(k))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("make key file: %w", err)
	}
	// Linking, unlike renaming, fails when there is a file.
	if err := os.Link(f.Name(), path); err != nil {
		return nil, fmt.Errorf("make key file: %w", err)
	}
	if err := syncFolder(path); err != nil {
		return nil, fmt.Errorf("make key file: %w", err)
	}
	return newRing(path, []*key{k}), nil
}

// LoadOrCreate reads a key file, or makes it when there is none. Processes that
// start together agree on one.
func LoadOrCreate(path string) (*Ring, error) {
	ring, err := Load(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return ring, err
	}
	ring, err = Create(path)
	if errors.Is(err, fs.ErrExist) {
		return Load(path)
	}
	return ring, err
}

// AddKey puts a new key at the head of a key file. The other keys stay, for what
// they have sealed. The file is replaced at once or not at all; two calls at the
// same time do not lose a key, one is refused.
func AddKey(path string) (*Ring, error) {
	path, err := filepath.EvalSymlinks(path) // else the link would be replaced
	if err != nil {
		return nil, fmt.Errorf("add a key: %w", err)
	}
	next := path + ".new"
	f, err := os.OpenFile(next, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("add a key: %s exists: another rotation is running, or one was interrupted and the file can be removed", next)
	}
	if err != nil {
		return nil, fmt.Errorf("add a key: %w", err)
	}
	ring, err := writeSuccessor(f, path)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(next, path)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("add a key: %w", err), os.Remove(next))
	}
	if err := syncFolder(path); err != nil {
		return nil, fmt.Errorf("add a key: %w", err)
	}
	return ring, nil
}

// writeSuccessor writes the file at path, with a new key at its head, to f.
func writeSuccessor(f *os.File, path string) (*Ring, error) {
	text, info, err := readFile(path)
	if err != nil {
		return nil, err
	}
	keys, err := parse(path, text)
	if err != nil {
		return nil, err
	}
	k, err := generate(keys)
	if err != nil {
		return nil, err
	}
	// The administrator's command must not take the file from the server's user.
	if err := keepOwner(f, info); err != nil {
		return nil, err
	}
	head := 0
	for l := range strings.Lines(text) {
		if !isComment(l) {
			break
		}
		head += len(l)
	}
	if err := writeAndSync(f, text[:head]+line(k)+text[head:]); err != nil {
		return nil, err
	}
	return newRing(path, append([]*key{k}, keys...)), nil
}

func generate(others []*key) (*key, error) {
	var secret [keySize]byte
	rand.Read(secret[:])
	for {
		var id keyID
		rand.Read(id[:])
		if lookUp(others, id) == nil {
			return newKey(id, secret)
		}
	}
}

func line(k *key) string {
	return fmt.Sprintf("%s %x %s\n", lineWord, k.id, base64.StdEncoding.EncodeToString(k.secret[:]))
}

func read(path string) ([]*key, error) {
	text, _, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return parse(path, text)
}

func readFile(path string) (string, fs.FileInfo, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", nil, fmt.Errorf("read key file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat() // of what is open, not of what the path names by now
	if err != nil {
		return "", nil, fmt.Errorf("read key file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return "", nil, fmt.Errorf("key file %s is not a file", path)
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		return "", nil, &PermissionError{Path: path, Mode: perm}
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return "", nil, fmt.Errorf("read key file: %w", err)
	}
	if len(text) > maxSize {
		return "", nil, fmt.Errorf("key file %s is longer than %d bytes: it is not a key file", path, maxSize)
	}
	return string(text), info, nil
}

func isComment(l string) bool {
	l = strings.TrimSpace(l)
	return l == "" || strings.HasPrefix(l, "#")
}

func parse(path, text string) ([]*key, error) {
	var keys []*key
	n := 0
	for l := range strings.Lines(text) {
		n++
		if isComment(l) {
			continue
		}
		k, problem := parseLine(l)
		if problem == "" && lookUp(keys, k.id) != nil {
			problem = "an earlier line has the same key id"
		}
		if problem != "" {
			return nil, &SyntaxError{Path: path, Line: n, Problem: problem}
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("key file %s holds no key", path)
	}
	return keys, nil
}

// parseLine reads the line of a key, or says what is wrong with it in words that
// hold nothing of it.
func parseLine(l string) (k *key, problem string) {
	fields := strings.Fields(l)
	if len(fields) != 3 || fields[0] != lineWord {
		return nil, "want " + lineWord + ", the key's id and the key"
	}
	var id keyID
	if len(fields[1]) != hex.EncodedLen(len(id)) {
		return nil, "the key's id is not 8 hexadecimal digits"
	}
	if _, err := hex.Decode(id[:], []byte(fields[1])); err != nil {
		return nil, "the key's id is not 8 hexadecimal digits"
	}
	secret, err := base64.StdEncoding.Strict().DecodeString(fields[2])
	if err != nil || len(secret) != keySize {
		return nil, "the key is not the base64 text of 32 bytes"
	}
	if k, err = newKey(id, [keySize]byte(secret)); err != nil {
		return nil, "the key cannot be used"
	}
	return k, ""
}

func writeAndSync(f *os.File, text string) error {
	if _, err := f.WriteString(text); err != nil {
		return err
	}
	return f.Sync()
}

// syncFolder makes a new name in the folder of path survive a power failure.
func syncFolder(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
