package reports

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Checked is what a good file holds.
type Checked struct {
	// Columns is the header row as it stands.
	Columns string
	Rows    int64
	Digest  [32]byte
	// Sums are of the columns that the dashboard plots, by measure.
	Sums map[string]int64
}

// measures are the columns that are summed, by their name in lower case.
var measures = map[string]string{
	"subscriptions": "subscriptions", "minutes streamed": "minutes", "minutes": "minutes",
}

// Check reads a whole file. Its refusals are *Problem.
func Check(r io.Reader) (Checked, error) {
	digest := sha256.New()
	buffered := bufio.NewReader(io.TeeReader(r, digest))
	if mark, err := buffered.Peek(3); err == nil && bytes.Equal(mark, []byte("\xEF\xBB\xBF")) {
		if _, err := buffered.Discard(3); err != nil {
			return Checked{}, err
		}
	}
	rows := csv.NewReader(&utf8Reader{r: buffered})
	rows.ReuseRecord = true
	header, err := rows.Read()
	if errors.Is(err, io.EOF) {
		return Checked{}, problem("The file is empty: it needs a header row.")
	}
	if err != nil {
		return Checked{}, asProblem(err)
	}
	c := Checked{Sums: map[string]int64{}}
	if c.Columns, err = joinHeader(header); err != nil {
		return Checked{}, err
	}
	if words := otherDelimiter(header); words != "" {
		return Checked{}, problem("The columns of the header row are separated by %s: separate them by commas.", words)
	}
	summed := map[int]string{}
	for i, name := range header {
		if measure, ok := measures[strings.ToLower(strings.TrimSpace(name))]; ok {
			summed[i] = measure
			c.Sums[measure] = 0
		}
	}
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Checked{}, asProblem(err)
		}
		c.Rows++
		for i, measure := range summed {
			// A cell that is no number is the partner's business, not the plot's.
			if n, err := strconv.ParseFloat(strings.ReplaceAll(row[i], ",", ""), 64); err == nil && n > -1e15 && n < 1e15 {
				c.Sums[measure] += int64(n)
			}
		}
	}
	c.Digest = [32]byte(digest.Sum(nil))
	return c, nil
}

// joinHeader gives the header row as one text, and refuses one that is no header.
func joinHeader(header []string) (string, error) {
	seen := map[string]bool{}
	for i, name := range header {
		switch {
		case strings.TrimSpace(name) == "":
			return "", problem("Column %d of the header row has no name.", i+1)
		case seen[name]:
			return "", problem("The header row names the column %q twice.", name)
		}
		seen[name] = true
	}
	var b strings.Builder
	w := csv.NewWriter(&b)
	if err := w.Write(header); err != nil {
		return "", err
	}
	w.Flush()
	return strings.TrimSuffix(b.String(), "\n"), w.Error()
}

// otherDelimiter names what separates the columns of a header row that has only one by
// commas, "" when it may have only one.
func otherDelimiter(header []string) string {
	if len(header) == 1 {
		for separator, name := range map[string]string{";": "semicolons", "\t": "tabs", "|": "bars"} {
			if strings.Contains(header[0], separator) {
				return name
			}
		}
	}
	return ""
}

func asProblem(err error) error {
	if e, ok := errors.AsType[*csv.ParseError](err); ok {
		if errors.Is(e.Err, csv.ErrFieldCount) {
			return problem("Line %d has another number of columns than the header row.", e.Line)
		}
		return problem("Line %d is not CSV: %v.", e.Line, e.Err)
	}
	return err
}

// utf8Reader passes on what is UTF-8 and ends with a *Problem at what is not.
type utf8Reader struct {
	r    io.Reader
	rest []byte // the beginning of a character
	read int64
}

func (u *utf8Reader) Read(p []byte) (int, error) {
	if len(p) < utf8.UTFMax*2 {
		return 0, io.ErrShortBuffer
	}
	n := copy(p, u.rest)
	m, err := u.r.Read(p[n:])
	n += m
	u.rest = u.rest[:0]
	whole := n
	if err == nil {
		// Up to three bytes may be the beginning of a character that goes on.
		for i := 1; i <= min(utf8.UTFMax-1, n); i++ {
			if utf8.RuneStart(p[n-i]) {
				if !utf8.FullRune(p[n-i : n]) {
					whole = n - i
				}
				break
			}
		}
	}
	u.rest = append(u.rest, p[whole:n]...)
	if !utf8.Valid(p[:whole]) || bytes.IndexByte(p[:whole], 0) >= 0 {
		return 0, problem("The file is not UTF-8 text (near byte %d).", u.read)
	}
	u.read += int64(whole)
	return whole, err
}
