package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/knadh/koanf/parsers/yaml"
)

// TestAlerts: the rules of the guide can be copied out of it, and ask for metrics that
// the guide's table has.
func TestAlerts(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile(`(?m)^    groups:\n(    .*\n)+`).Find(text)
	rules := regexp.MustCompile(`(?m)^    `).ReplaceAll(block, nil)
	parsed, err := yaml.Parser().Unmarshal(rules)
	if err != nil || parsed["groups"] == nil {
		t.Fatalf("%v in\n%s", err, rules)
	}
	asked := regexp.MustCompile(`gatelodge_([a-z_]+)`).FindAllSubmatch(rules, -1)
	if len(asked) < 4 {
		t.Errorf("only %d metrics in\n%s", len(asked), rules)
	}
	for _, m := range asked {
		if !strings.Contains(string(text), "`"+string(m[1])+"`") {
			t.Errorf("the guide has no metric %s", m[1])
		}
	}
	if _, err := exec.LookPath("promtool"); err != nil {
		return // Prometheus need not be here: the rest was looked at
	}
	file := filepath.Join(t.TempDir(), "rules.yml")
	if err := os.WriteFile(file, rules, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("promtool", "check", "rules", file).CombinedOutput(); err != nil {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}
