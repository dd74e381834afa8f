package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Cells.
func count(n int) string { return strconv.Itoa(n) }

func times(by int) func(int) string { return func(n int) string { return strconv.Itoa(n * by) } }

func money(cents int) func(int) string {
	return func(n int) string { return fmt.Sprintf("%d.%02d", n*cents/100, n*cents%100) }
}

func word(s string) func(int) string { return func(int) string { return s } }

// period is what a report is about; both days are in it.
type period struct{ begin, end time.Time }

func (p period) file() string {
	return p.begin.Format(time.DateOnly) + "_" + p.end.Format(time.DateOnly) + ".csv"
}

// available is when the figures of a period are there.
func (p period) available() time.Time { return p.end.AddDate(0, 0, 2) }

// periods are the last 52 whole weeks, Monday to Sunday, or the last 12 whole months,
// as far as their figures are there.
func periods(kindName string, now time.Time) []period {
	// A day that is over, from which on the figures are there.
	today := now.UTC().Truncate(24*time.Hour).AddDate(0, 0, -2)
	if strings.HasSuffix(kindName, "Monthly") {
		first := time.Date(today.Year(), today.Month(), 1, 0, 0, 0, 0, time.UTC)
		if first.AddDate(0, 1, -1).Equal(today) {
			first = first.AddDate(0, 1, 0)
		}
		all := make([]period, 12)
		for i := range all {
			begin := first.AddDate(0, i-12, 0)
			all[i] = period{begin, begin.AddDate(0, 1, -1)}
		}
		return all
	}
	sunday := today.AddDate(0, 0, -int(today.Weekday()))
	all := make([]period, 52)
	for i := range all {
		end := sunday.AddDate(0, 0, 7*(i-51))
		all[i] = period{end.AddDate(0, 0, -6), end}
	}
	return all
}

// content makes a report. It depends on where the report is and on nothing else, so
// that each start makes the same bytes; the numbers are whole ones, which are the same
// on every machine.
func content(place string, size int, k kind, p period) (string, error) {
	header := []string{"Report Year", "Report Start (inclusive)", "Report End (inclusive)", "Name"}
	for _, c := range k.columns {
		header = append(header, c.name)
	}
	rows := [][]string{header}
	seed := fnv.New64a()
	seed.Write([]byte(place))
	random := rand.New(rand.NewPCG(seed.Sum64(), 0))
	month := int(p.begin.Month())
	for i, item := range k.items {
		if k.season != nil && !slices.Contains(k.season, month) {
			break // no activity: a header row alone
		}
		n := size * year[month-1] * (90 + random.IntN(21)) / ((i + 1) * 100 * 100)
		const day = "1/2/2006" // as these reports write it
		row := []string{p.begin.Format("2006"), p.begin.Format(day), p.end.Format(day), item}
		for _, c := range k.columns {
			row = append(row, c.of(n))
		}
		rows = append(rows, row)
	}
	var text strings.Builder
	err := csv.NewWriter(&text).WriteAll(rows)
	return text.String(), err
}

// putReports fills a partner's part of the reports' folder.
func putReports(folder string, accountID int64, all []shelf, now time.Time) error {
	for _, s := range all {
		for _, name := range s.kinds {
			k, ok := kinds[name]
			if !ok {
				return fmt.Errorf("there is no kind of report %q", name)
			}
			// What is in it depends on the place below the account, whose number Slate gives.
			place := filepath.Join(s.group, s.folder, name)
			to := filepath.Join(folder, strconv.FormatInt(accountID, 10), place)
			if err := os.MkdirAll(to, 0o700); err != nil {
				return err
			}
			for _, p := range periods(name, now) {
				text, err := content(filepath.ToSlash(filepath.Join(place, p.file())), s.size, k, p)
				if err != nil {
					return err
				}
				file := filepath.Join(to, p.file())
				// Slate leaves alone what was written a moment ago. These were not.
				if err := errors.Join(os.WriteFile(file, []byte(text), 0o600), os.Chtimes(file, time.Time{}, p.available())); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
