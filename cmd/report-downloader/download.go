package main

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// errStale: the address of a download has expired, or the report was corrected since.
var errStale = errors.New("the download address is not good any more")

// damaged says why a file that came whole is not good.
type damaged struct{ error }

// fetch downloads a report to its name. What comes lies among the parts until it is
// whole and checked; a broken download goes on where it broke off, now or in the next
// run.
func (r *run) fetch(ctx context.Context, l place, name string, p report) error {
	if p.Digest != "" && r.check(name, p) == nil {
		return r.disk.Chtimes(name, time.Time{}, p.modified()) // it was here, and looked another
	}
	r.bar.AddMax64(p.Bytes)
	for try, bad := 1, 0; ; try++ {
		part := p.part()
		err := r.receive(ctx, p, part)
		if err == nil {
			err = r.check(part, p)
		}
		if err == nil {
			err = errors.Join(r.disk.MkdirAll(path.Dir(name), 0o755), r.disk.Chtimes(part, time.Time{}, p.modified()), r.disk.Rename(part, name))
			if err == nil {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.fetched++
				r.bar.Clear()
				fmt.Fprintln(r.out, name)
			}
			return err
		}
		if _, ok := errors.AsType[damaged](err); ok {
			bad++
			r.disk.Remove(part) // best effort: what is left is checked again
		}
		if _, ok := errors.AsType[*refused](err); ok || ctx.Err() != nil || try == tries || bad == 2 {
			return err
		}
		if errors.Is(err, errStale) {
			p, err = r.again(ctx, l, p)
		} else {
			err = sleep(ctx, backoff(try))
		}
		if err != nil {
			return err
		}
	}
}

// part is where a report is until it is whole. The name tells one version from another,
// so that nothing is gone on with that was of another file.
func (p report) part() string {
	sum := sha256.Sum256([]byte(p.ID + "\x00" + p.Modified + "\x00" + p.Digest))
	return filepath.Join(ownParts, hex.EncodeToString(sum[:16]))
}

// again lists a report once more, for a new address.
func (r *run) again(ctx context.Context, l place, p report) (found report, err error) {
	err = pages(ctx, r.api, l.path+"/reports", url.Values{}, func(page []report) {
		for _, other := range page {
			if other.file() == p.file() {
				found = other
			}
		}
	})
	if err == nil && found.Download == "" {
		err = errors.New("it is not listed any more")
	}
	return found, err
}

// receive gets what is missing of a file (RFC 9110 section 14).
func (r *run) receive(ctx context.Context, p report, part string) error {
	f, err := r.disk.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	have, err := f.Seek(0, io.SeekEnd)
	if err != nil || p.Bytes > 0 && have == p.Bytes {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.Download, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Accept-Encoding", "identity") // parts are of the file itself
	if have > 0 {
		request.Header.Set("Range", "bytes="+strconv.FormatInt(have, 10)+"-")
	}
	response, err := r.api.client.Do(request)
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return failed.Err // without the address, which is as good as the report
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
		if have, err = 0, f.Truncate(0); err != nil {
			return err
		}
	case http.StatusPartialContent:
		if !strings.HasPrefix(response.Header.Get("Content-Range"), "bytes "+strconv.FormatInt(have, 10)+"-") {
			return damaged{errors.New("the server sent another part than it was asked for")}
		}
	case http.StatusRequestedRangeNotSatisfiable:
		return damaged{errors.New("the server has less of the file than is here")}
	case http.StatusForbidden, http.StatusNotFound, http.StatusGone:
		return errStale
	default:
		return refusal("The download’s server", response)
	}
	body := io.Reader(response.Body)
	if p.Bytes > 0 {
		body = io.LimitReader(body, p.Bytes-have+1) // enough to see that it is too long
	}
	if _, err := io.Copy(io.MultiWriter(f, r.bar), body); err != nil {
		return err
	}
	return f.Sync()
}

// check holds a file to what Slate told of it, and reads all of the archive.
func (r *run) check(name string, p report) error {
	f, err := r.disk.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, f)
	switch {
	case err != nil:
		return err
	case p.Bytes > 0 && size != p.Bytes:
		return damaged{fmt.Errorf("the file does not have the %d bytes that Slate says", p.Bytes)}
	case p.Digest != "" && !strings.EqualFold(hex.EncodeToString(sum.Sum(nil)), p.Digest):
		return damaged{errors.New("the file’s SHA-256 is not what Slate says")}
	}
	archive, err := zip.NewReader(f, size)
	if err != nil {
		return damaged{fmt.Errorf("the file is no ZIP: %w", err)}
	}
	found := false
	for _, entry := range archive.File {
		if err := checkEntry(entry); err != nil {
			return damaged{fmt.Errorf("%q in the ZIP: %w", entry.Name, err)}
		}
		found = found || path.Ext(entry.Name) == ".csv"
	}
	if !found {
		return damaged{errors.New("there is no CSV in the ZIP")}
	}
	return nil
}

// checkEntry reads one file of an archive. It stays in there; whoever unpacks it must
// not be led out of their folder.
func checkEntry(entry *zip.File) error {
	if !filepath.IsLocal(entry.Name) || strings.ContainsAny(entry.Name, `\:`) {
		return errors.New("the name leads elsewhere")
	}
	content, err := entry.Open()
	if err != nil {
		return err
	}
	defer content.Close()
	_, err = io.Copy(io.Discard, content) // the checksum is compared at the end
	return err
}
