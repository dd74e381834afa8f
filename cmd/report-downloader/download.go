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
)

// errStale: the address of a download has expired, or the report was corrected since.
var errStale = errors.New("the download address is not good any more")

// damaged says why a file that came whole is not good.
type damaged struct{ error }

// fetch downloads a report to its name. What comes lies beside it until it is whole and
// checked; a broken download goes on where it broke off, now or in the next run.
func (r *run) fetch(ctx context.Context, l leaf, p report, name string) (bytes int64, digest string, err error) {
	name = filepath.FromSlash(name)
	if p.Digest != "" {
		// It may be here already, when the state was lost.
		if bytes, digest, err := r.check(name, p); err == nil {
			return bytes, digest, nil
		}
	}
	folder, file := filepath.Split(name)
	part := filepath.Join(folder, "."+file+".part")
	bar := r.bars.begin(name, p.Bytes)
	defer func() { r.bars.end(bar, bytes, err) }()
	for try, bad := 1, 0; ; try++ {
		if err = r.receive(ctx, p, part, bar); err == nil {
			bytes, digest, err = r.check(part, p)
		}
		if err == nil {
			break
		}
		_, isDamaged := errors.AsType[damaged](err)
		_, isRefused := errors.AsType[*refused](err)
		if isDamaged {
			bad++
			r.forget(part)
		}
		if ctx.Err() != nil || isRefused || try == tries || bad == 2 {
			return 0, "", err
		}
		if errors.Is(err, errStale) {
			if p, err = r.again(ctx, l, p); err != nil {
				return 0, "", err
			}
		} else if err = sleep(ctx, backoff(try)); err != nil {
			return 0, "", err
		}
	}
	if err := r.disk.Rename(part, name); err != nil {
		return 0, "", err
	}
	r.forget(part)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fetched++
	return bytes, digest, nil
}

// forget removes what is left of a download.
func (r *run) forget(part string) {
	r.disk.Remove(part)           // best effort: what is left is taken for
	r.disk.Remove(part + ".etag") // a broken download, and checked
}

// again lists a report once more, for a new address.
func (r *run) again(ctx context.Context, l leaf, p report) (report, error) {
	found := report{}
	err := pages(ctx, r.slate, r.leafAddress(l), url.Values{}, func(page []report) {
		for _, other := range page {
			if other.ID == p.ID && other.file() == p.file() && other.Download != "" {
				found = other
			}
		}
	})
	if err == nil && found.Download == "" {
		err = errors.New("it is not listed any more")
	}
	return found, err
}

// receive gets what is missing of a file (RFC 9110 sections 13.1.5 and 14).
func (r *run) receive(ctx context.Context, p report, part string, bar *bar) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.Download, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Accept-Encoding", "identity") // parts are of the file itself
	have := int64(0)
	tag, err := r.disk.ReadFile(part + ".etag")
	if info, missing := r.disk.Stat(part); err == nil && missing == nil && info.Size() > 0 {
		if have = info.Size(); have == p.Bytes {
			return nil // all is here, and was not checked yet
		}
		request.Header.Set("Range", "bytes="+strconv.FormatInt(have, 10)+"-")
		request.Header.Set("If-Range", string(tag))
	}
	response, err := r.files.Do(request)
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return failed.Err // without the address, which is as good as the report
	}
	if err != nil {
		return err
	}
	defer response.Body.Close()
	flags := os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	switch response.StatusCode {
	case http.StatusOK:
		have = 0
		if err := r.keepTag(part, response.Header.Get("ETag")); err != nil {
			return err
		}
	case http.StatusPartialContent:
		if !strings.HasPrefix(response.Header.Get("Content-Range"), "bytes "+strconv.FormatInt(have, 10)+"-") {
			return damaged{errors.New("the server sent another part than it was asked for")}
		}
		flags = os.O_WRONLY | os.O_APPEND
	case http.StatusRequestedRangeNotSatisfiable:
		return damaged{errors.New("the server has less of the file than is here")}
	case http.StatusForbidden, http.StatusNotFound, http.StatusGone:
		return errStale
	default:
		return refusal("The download’s server", response)
	}
	f, err := r.disk.OpenFile(part, flags, 0o644)
	if err != nil {
		return err
	}
	r.bars.set(bar, have)
	_, err = io.Copy(f, io.TeeReader(response.Body, counter{r.bars, bar}))
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// keepTag notes which file a part is of. Only a strong tag is good for going on.
func (r *run) keepTag(part, tag string) error {
	if err := r.disk.Remove(part + ".etag"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if !strings.HasPrefix(tag, `"`) {
		return nil
	}
	// What lay there was of another file.
	if err := r.disk.Remove(part); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return r.disk.WriteFile(part+".etag", []byte(tag), 0o644)
}

// check holds a file to what Slate told of it, and reads all of the archive.
func (r *run) check(name string, p report) (size int64, digest string, err error) {
	f, err := r.disk.Open(name)
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, "", err
	}
	if size = info.Size(); p.Bytes > 0 && size != p.Bytes {
		return 0, "", damaged{fmt.Errorf("the file has %d bytes instead of %d", size, p.Bytes)}
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return 0, "", err
	}
	digest = hex.EncodeToString(sum.Sum(nil))
	if p.Digest != "" && !strings.EqualFold(digest, p.Digest) {
		return 0, "", damaged{errors.New("the file’s SHA-256 is not what Slate says")}
	}
	archive, err := zip.NewReader(f, size)
	if err != nil {
		return 0, "", damaged{fmt.Errorf("the file is no ZIP: %w", err)}
	}
	reports := 0
	for _, entry := range archive.File {
		if err := readEntry(entry); err != nil {
			return 0, "", damaged{fmt.Errorf("%s in the ZIP: %w", entry.Name, err)}
		}
		if path.Ext(entry.Name) == ".csv" {
			reports++
		}
	}
	if reports == 0 {
		return 0, "", damaged{errors.New("there is no CSV in the ZIP")}
	}
	return size, digest, nil
}

func readEntry(entry *zip.File) error {
	content, err := entry.Open()
	if err != nil {
		return err
	}
	defer content.Close()
	_, err = io.Copy(io.Discard, content) // the checksum is compared at the end
	return err
}
