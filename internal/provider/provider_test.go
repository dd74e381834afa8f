package provider_test

import (
	"strconv"
	"testing"
	"testing/synctest"

	"gatelodge/internal/sim"
)

// inVirtualTime gives the test a world in which sleeping takes no time.
func inVirtualTime(t *testing.T, test func(t *testing.T, w *sim.World)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, sim.New(t)) })
}

func itoa(id int64) string { return strconv.FormatInt(id, 10) }
