package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestUnit: systemd understands the units, finds little to say about their walls, and
// gives requests in flight the time that serve gives them (Slate's has the same).
func TestUnit(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"gatelodge", "slate"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testUnit(t, name)
		})
	}
}

func testUnit(t *testing.T, name string) {
	text, err := os.ReadFile("../../deploy/" + name + ".service")
	if err != nil {
		t.Fatal(err)
	}
	stop := regexp.MustCompile(`(?m)^TimeoutStopSec=(.*)$`).FindStringSubmatch(string(text))
	if stop == nil {
		t.Fatal("no TimeoutStopSec")
	}
	if d, err := time.ParseDuration(stop[1]); err != nil || d <= drainTime {
		t.Errorf("TimeoutStopSec is %s, and requests in flight have %v", stop[1], drainTime)
	}
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("there is no systemd-analyze on this machine to check the unit with")
	}
	// The program is not installed here: another takes its place, which is there.
	program, err := exec.LookPath("true")
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), name+".service")
	if err := os.WriteFile(copied, []byte(strings.ReplaceAll(string(text), "/usr/local/bin/"+name, program)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", copied).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--no-pager", copied).CombinedOutput()
	if err != nil {
		t.Fatalf("systemd-analyze security: %v\n%s", err, out)
	}
	level := regexp.MustCompile(`Overall exposure level for .*: ([0-9.]+)`).FindSubmatch(out)
	if level == nil {
		t.Fatalf("no level in\n%s", out)
	}
	if l, err := strconv.ParseFloat(string(level[1]), 64); err != nil || l > 2 {
		t.Errorf("the exposure level is %s, want at most 2:\n%s", level[1], out)
	}
}
