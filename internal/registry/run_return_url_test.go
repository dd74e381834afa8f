package registry

import (
	"strings"
	"testing"
)

func TestMatchRunReturnURL(t *testing.T) {
	const issuer = "https://id.example.com"
	const own = "https://id.example.com/console/profiles/0102000000000000000000000000000a/run/return"
	key := ApplicationKey{0: 1, 1: 2, 15: 10}
	tests := []struct {
		name    string
		profile SecurityProfile
		sent    string
		want    bool
	}{
		{"web", SecurityProfile{}, own, true},
		{"single page", SecurityProfile{Settings: Settings{Kind: SinglePage}}, own, true},
		{"native", SecurityProfile{Settings: Settings{Kind: Native}}, own, true},
		{"with registered ones", SecurityProfile{ReturnURLs: []ReturnURL{{Value: "https://localhost"}}}, own, true},
		{"service", SecurityProfile{Settings: Settings{Kind: Service}}, own, false},
		{"device", SecurityProfile{Settings: Settings{Kind: Device}}, own, false},
		{"registered itself", SecurityProfile{Dynamic: true}, own, true},
		{"service that registered itself", SecurityProfile{Dynamic: true, Settings: Settings{Kind: Service}}, own, false},
		{"nothing", SecurityProfile{}, "", false},
		{"another profile's", SecurityProfile{}, strings.Replace(own, "0a/run", "0b/run", 1), false},
		{"another host", SecurityProfile{}, strings.Replace(own, "id.", "evil.", 1), false},
		{"another scheme", SecurityProfile{}, strings.Replace(own, "https", "http", 1), false},
		{"a port", SecurityProfile{Settings: Settings{Kind: Native}}, strings.Replace(own, ".com", ".com:8443", 1), false},
		{"upper case", SecurityProfile{}, strings.Replace(own, "0a/run", "0A/run", 1), false},
		{"slash at the end", SecurityProfile{}, own + "/", false},
		{"query", SecurityProfile{}, own + "?x=y", false},
		{"dot segments", SecurityProfile{}, strings.Replace(own, "/run", "/run/../run", 1), false},
		{"the start page", SecurityProfile{}, strings.TrimSuffix(own, "/return"), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.profile.Application = key
			got, ok := MatchRunReturnURL(issuer, &tt.profile, tt.sent)
			if ok != tt.want {
				t.Fatalf("got %t, want %t", ok, tt.want)
			}
			if ok && got.String() != own {
				t.Errorf("the answer goes to %s", got)
			}
		})
	}
}
