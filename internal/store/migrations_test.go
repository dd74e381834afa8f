package store_test

import (
	"io/fs"
	"regexp"
	"strconv"
	"testing"

	"gatelodge/internal/store"
)

// TestMigrationsSayWhoMayRun: operators replace one server after the other, so each
// migration says which programs go on working beside it ("Changing the schema" in
// docs/architecture.md). A migration that breaks its own predecessor cannot be rolled
// out at all, unless that one was the first to know what takes the place of what goes.
func TestMigrationsSayWhoMayRun(t *testing.T) {
	const released = 3 // older than the rule
	line := regexp.MustCompile(`(?m)^-- oldest program: (\d+)$`)
	names, err := fs.Glob(store.Migrations(), "*.sql")
	if err != nil || len(names) < released {
		t.Fatalf("%d migrations, %v", len(names), err)
	}
	before := int64(released)
	for i, name := range names {
		version := int64(i + 1)
		if version <= released {
			continue
		}
		text, err := fs.ReadFile(store.Migrations(), name)
		if err != nil {
			t.Fatal(err)
		}
		found := line.FindSubmatch(text)
		if found == nil {
			t.Errorf(`%s does not say "-- oldest program: N"`, name)
			continue
		}
		oldest, err := strconv.ParseInt(string(found[1]), 10, 64)
		if err != nil || oldest >= version || oldest < before {
			t.Errorf("%s: oldest program %d (%v), want one from %d to %d: the program before this one has to go on working, and nothing that was taken away comes back", name, oldest, err, before, version-1)
		}
		before = oldest
	}
}
