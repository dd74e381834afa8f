package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs testdata/script. Beside testscript's commands there are
//
//	exits N program args…   run a program that has to exit with N
//	records N               standard output is N lines, each one JSON object
//	record key=value…       exactly one of them has these members; = alone is empty
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		// A server that was to refuse and serves would go on for ever.
		Deadline: time.Now().Add(time.Minute),
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": positive(exits), "records": positive(records), "record": positive(record),
		},
	})
}

// positive is a command that cannot be negated.
func positive(command func(ts *testscript.TestScript, args []string)) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg {
			ts.Fatalf("this command cannot be negated")
		}
		command(ts, args)
	}
}

func exits(ts *testscript.TestScript, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got, err = exit.ExitCode(), nil
	}
	ts.Check(err)
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// objects reads the lines of standard output.
func objects(ts *testscript.TestScript) (all []map[string]any) {
	for line := range strings.Lines(ts.ReadFile("stdout")) {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			ts.Fatalf("not a JSON object: %q: %v", line, err)
		}
		all = append(all, object)
	}
	return all
}

func records(ts *testscript.TestScript, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := len(objects(ts)); got != want {
		ts.Fatalf("%d records, want %d", got, want)
	}
}

func record(ts *testscript.TestScript, args []string) {
	found := 0
	for _, object := range objects(ts) {
		matches := true
		for _, arg := range args {
			key, want, _ := strings.Cut(arg, "=")
			value, ok := object[key]
			matches = matches && ok && fmt.Sprint(value) == want
		}
		if matches {
			found++
		}
	}
	if found != 1 {
		ts.Fatalf("%d records have %q, want one", found, args)
	}
}
