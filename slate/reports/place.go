package reports

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatelodge/slate/store"
)

// Place is where a file belongs, as its path tells.
type Place struct {
	AccountID int64
	Channel   store.Channel
	Type      store.ReportType
	// Begin and End are the first and the last day.
	Begin, End time.Time
}

// Problem is why a file cannot be published, in words for whoever put it there.
type Problem struct{ Words string }

func (p *Problem) Error() string { return "reports: " + p.Words }

func problem(format string, args ...any) error { return &Problem{fmt.Sprintf(format, args...)} }

// cadences are the last words of report types.
var cadences = []string{"Daily", "Weekly", "Monthly", "Quarterly"}

var territory = regexp.MustCompile(`^(.+) \(([A-Z]{2})\)$`)

// ParsePlace reads a path within the folder, with slashes. Its refusals are *Problem.
func ParsePlace(name string) (Place, error) {
	parts := strings.Split(name, "/")
	if len(parts) != 5 {
		return Place{}, problem("The path must be account/group/channel/type/period.csv.")
	}
	for _, part := range parts {
		if !store.CleanFolder(part) {
			return Place{}, problem("%q cannot be a part of the path.", part)
		}
	}
	var p Place
	var err error
	if p.AccountID, err = strconv.ParseInt(parts[0], 10, 64); err != nil || strconv.FormatInt(p.AccountID, 10) != parts[0] {
		return Place{}, problem("%q is not an account's number.", parts[0])
	}
	group := slices.IndexFunc(store.Groups(), func(g [2]string) bool { return g[0] == parts[1] })
	if group < 0 {
		return Place{}, problem("There is no report group %q. The groups are channels, channelsPremium, rentOrBuy and financialStatement.", parts[1])
	}
	p.Channel = store.Channel{Group: parts[1], Folder: parts[2], Name: parts[2]}
	if m := territory.FindStringSubmatch(parts[2]); m != nil {
		p.Channel.Name, p.Channel.Territory = m[1], m[2]
	}
	words := strings.Fields(parts[3])
	last := words[len(words)-1]
	if len(words) < 2 || !slices.Contains(cadences, last) {
		return Place{}, problem("%q must end with the cadence: Daily, Weekly, Monthly or Quarterly.", parts[3])
	}
	p.Type = store.ReportType{Folder: parts[3], Name: strings.Join(words[:len(words)-1], " "), Cadence: last}
	period, isCSV := strings.CutSuffix(parts[4], ".csv")
	if !isCSV {
		return Place{}, problem("%q is not a .csv file.", path.Base(name))
	}
	if p.Begin, p.End, err = parsePeriod(period); err != nil {
		return Place{}, err
	}
	return p, checkCadence(last, p.Begin, p.End)
}

func parsePeriod(s string) (begin, end time.Time, err error) {
	bad := problem("%q is not a period: write 2030-01-07_2030-01-13, 2030-01-07 or 2030-01.", s)
	if month, err := time.Parse("2006-01", s); err == nil {
		return month, month.AddDate(0, 1, -1), nil
	}
	first, last, both := strings.Cut(s, "_")
	if begin, err = time.Parse(time.DateOnly, first); err != nil {
		return begin, end, bad
	}
	if !both {
		return begin, begin, nil
	}
	if end, err = time.Parse(time.DateOnly, last); err != nil || end.Before(begin) {
		return begin, end, bad
	}
	return begin, end, nil
}

// otherSpellings are the paths of the same place whose period is written in another way:
// a month as its first and last day, say.
func (p Place) otherSpellings(name string) (others []string) {
	first, last := p.Begin.Format(time.DateOnly), p.End.Format(time.DateOnly)
	spellings := []string{first + "_" + last}
	if p.Begin.Equal(p.End) {
		spellings = append(spellings, first)
	}
	if p.Begin.Day() == 1 && p.End.Equal(p.Begin.AddDate(0, 1, -1)) {
		spellings = append(spellings, p.Begin.Format("2006-01"))
	}
	for _, period := range spellings {
		if other := path.Join(path.Dir(name), period+".csv"); other != name {
			others = append(others, other)
		}
	}
	return others
}

func checkCadence(cadence string, begin, end time.Time) error {
	after := end.AddDate(0, 0, 1)
	fits := map[string]bool{
		"Daily":     after.Equal(begin.AddDate(0, 0, 1)),
		"Weekly":    after.Equal(begin.AddDate(0, 0, 7)),
		"Monthly":   begin.Day() == 1 && after.Equal(begin.AddDate(0, 1, 0)),
		"Quarterly": begin.Day() == 1 && after.Equal(begin.AddDate(0, 3, 0)),
	}
	if !fits[cadence] {
		return problem("The period from %s to %s does not fit the cadence %s.", begin.Format(time.DateOnly), end.Format(time.DateOnly), cadence)
	}
	return nil
}
