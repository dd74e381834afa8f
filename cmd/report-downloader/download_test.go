package main

import (
	"archive/zip"
	"bytes"
	"encoding/hex"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"gatelodge/slate/api"
)

// TestCheck: what is no archive of reports never gets a report's name.
func TestCheck(t *testing.T) {
	t.Parallel()
	archive := func(names ...string) []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for _, name := range names {
			f, err := z.Create(name)
			if err == nil {
				_, err = io.WriteString(f, "Date,Subscriptions\n1/7/2030,12\n")
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	good := archive("week.csv")
	torn := bytes.Clone(good)
	torn[45] ^= 1
	for name, tt := range map[string]struct {
		file   []byte
		report report
		words  string
	}{
		"good":              {good, report{Bytes: int64(len(good))}, ""},
		"more files":        {archive("read me.txt", "folder/week.csv"), report{}, ""},
		"another length":    {good, report{Bytes: 7}, "7 bytes"},
		"another digest":    {good, report{Digest: hex.EncodeToString(make([]byte, 32))}, "SHA-256"},
		"no archive":        {[]byte("<html>"), report{}, "no ZIP"},
		"nothing":           {nil, report{}, "no ZIP"},
		"half of it":        {good[:len(good)/2], report{}, "no ZIP"},
		"a bit is another":  {torn, report{}, "in the ZIP"},
		"no report":         {archive("week.txt"), report{}, "no CSV"},
		"out of the folder": {archive("../../week.csv"), report{}, "leads elsewhere"},
		"from the root":     {archive("/etc/week.csv"), report{}, "leads elsewhere"},
		"backslashes":       {archive(`..\week.csv`), report{}, "leads elsewhere"},
		"a drive":           {archive("C:week.csv"), report{}, "leads elsewhere"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			if err := os.WriteFile(filepath.Join(folder, "x"), tt.file, 0o600); err != nil {
				t.Fatal(err)
			}
			disk, err := os.OpenRoot(folder)
			if err != nil {
				t.Fatal(err)
			}
			defer disk.Close()
			err = (&run{disk: disk}).check("x", tt.report)
			if tt.words == "" && err != nil || tt.words != "" && (err == nil || !strings.Contains(err.Error(), tt.words)) {
				t.Errorf("%v", err)
			}
		})
	}
}

// endless is a body without an end.
type endless struct{ read *int64 }

func (e endless) Read(p []byte) (int, error) { *e.read += int64(len(p)); return len(p), nil }

func (endless) Close() error { return nil }

// TestEndlessDownload: a server that sends more than it says does not fill the disk.
func TestEndlessDownload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, api.Rate{})
		w.account("Alpha Pictures")
		w.put("1001"+weekly+"2030-01-07_2030-01-13.csv", "Date,Subscriptions\n1/7/2030,12\n")
		w.login()
		read := int64(0)
		w.wire.meddle = func(r *http.Response) { r.Body, r.ContentLength = endless{&read}, -1 }
		if code, out := w.run("sync"); code != exitFailed || !strings.Contains(out, "bytes that Slate says") {
			t.Errorf("%d %s", code, out)
		}
		if read > 1<<20 {
			t.Errorf("%d bytes were read", read)
		}
		if got := w.files(); len(got) != 0 {
			t.Errorf("there is %v", got)
		}
	})
}
