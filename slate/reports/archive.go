package reports

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
	"unicode"

	"gatelodge/slate/store"
)

// archive makes the ZIP that is downloaded, and notes it in the report. It is named by
// where its source is and what that holds, so that writing it twice is writing it once.
func (l *Library) archive(file io.ReadSeeker, place Place, source store.Source, report *store.Report) (err error) {
	inside := fmt.Sprintf("%s_%s_%s.csv", plainName(place.Type.Folder), place.Begin.Format(time.DateOnly), place.End.Format(time.DateOnly))
	id := sha256.Sum256(append([]byte(source.Path), source.Digest[:]...))
	report.File = hex.EncodeToString(id[:16]) + ".zip"
	path := filepath.Join(l.Archives, report.File)
	err = measure(path, report)
	if errors.Is(err, fs.ErrNotExist) {
		err = l.write(file, path, &zip.FileHeader{Name: inside, Method: zip.Deflate, Modified: place.End}, report)
	}
	if errors.Is(err, ErrChanging) {
		return err
	}
	return l.archiveError(err)
}

// plainName is a name that every system takes for the file in an archive.
func plainName(name string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsLetter(c) || unicode.IsDigit(c) || strings.ContainsRune("._-()", c) {
			return c
		}
		return '-'
	}, name)
}

// write makes an archive beside its place and puts it there when it is whole, on disk,
// and of the file that was checked.
func (l *Library) write(file io.ReadSeeker, path string, inside *zip.FileHeader, report *store.Report) (err error) {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	out, err := os.CreateTemp(l.Archives, "*"+unfinished)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, ignoreClosed(out.Close()), os.Remove(out.Name()))
		}
	}()
	z := zip.NewWriter(out)
	entry, err := z.CreateHeader(inside)
	if err != nil {
		return err
	}
	read := sha256.New()
	if _, err := io.Copy(io.MultiWriter(entry, read), file); err != nil {
		return err
	}
	if [32]byte(read.Sum(nil)) != report.Digest {
		return ErrChanging
	}
	if err := z.Close(); err != nil {
		return err
	}
	if err := out.Sync(); err != nil {
		return err
	}
	if err := measure(out.Name(), report); err != nil {
		return err
	}
	if err := out.Close(); err != nil {
		return err
	}
	if err := os.Rename(out.Name(), path); err != nil {
		return err
	}
	return syncFolder(l.Archives)
}

func ignoreClosed(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// syncFolder keeps a new name through a loss of power. Where folders cannot be synced,
// the system sees to that.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	if err := folder.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && runtime.GOOS != "windows" {
		return errors.Join(err, folder.Close())
	}
	return folder.Close()
}

// measure notes size and digest of an archive.
func measure(path string, report *store.Report) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	sum := sha256.New()
	if report.Bytes, err = io.Copy(sum, file); err != nil {
		return err
	}
	sum.Sum(report.Archive[:0])
	return nil
}

// tidy removes archives whose time is over.
func (l *Library) tidy(ctx context.Context) error {
	return l.Store.RemoveReplaced(ctx, l.Now().Add(-keepReplaced), func(name string) error {
		if err := os.Remove(filepath.Join(l.Archives, name)); !errors.Is(err, fs.ErrNotExist) {
			return l.archiveError(err)
		}
		return nil
	})
}

// archiveError keeps what goes wrong with archives apart from what is wrong with files.
func (l *Library) archiveError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("reports: the folder of archives: %v", err) // not %w: no *fs.PathError
}
