package registry

import (
	"fmt"
	"strconv"
	"strings"
)

// Names of the Web Settings form's fields. Each list has an error of its own under its bare name; a row's fields are
// numbered by the row's place in what was sent, from 0.
const (
	FieldReturnURLs = "return_urls"
	FieldOrigins    = "origins"
)

// ReturnURLField names the value field of a row, such as "return_urls.0".
func ReturnURLField(row int) string { return rowField(FieldReturnURLs, row) }

// ReturnURLNoteField names the note field of a row, such as "return_urls.0.note".
func ReturnURLNoteField(row int) string { return rowField(FieldReturnURLs, row) + ".note" }

// OriginField names the value field of a row.
func OriginField(row int) string { return rowField(FieldOrigins, row) }

// OriginNoteField names the note field of a row.
func OriginNoteField(row int) string { return rowField(FieldOrigins, row) + ".note" }

func rowField(list string, row int) string { return list + "." + strconv.Itoa(row) }

// ParseReturnURLs checks the rows of Allowed Return URLs. Rows left empty are dropped, notes are trimmed, values are
// taken as they are. What is accepted depends on the profile's kind.
func ParseReturnURLs(k Kind, raw []ReturnURL) ([]ReturnURL, FieldErrors) {
	return parseRows(raw, FieldReturnURLs, MaxReturnURLs, func(s string) *URLProblem {
		_, problem := ParseReturnURL(k, s)
		return problem
	})
}

// ParseAllowedOrigins checks the rows of Allowed Origins, as [ParseReturnURLs] does its own.
func ParseAllowedOrigins(raw []AllowedOrigin) ([]AllowedOrigin, FieldErrors) {
	return parseRows(raw, FieldOrigins, MaxOrigins, func(s string) *URLProblem {
		_, problem := ParseAllowedOrigin(s)
		return problem
	})
}

func parseRows[T ReturnURL | AllowedOrigin](raw []T, list string, maxRows int, check func(string) *URLProblem) ([]T, FieldErrors) {
	var (
		rows  []T
		errs  FieldErrors
		first = make(map[string]int) // value to the row that has it first
	)
	for i, entry := range raw {
		row := ReturnURL(entry)
		row.Note = strings.TrimSpace(row.Note)
		if strings.TrimSpace(row.Value) == "" && row.Note == "" {
			continue
		}
		if len(rows) == maxRows {
			return nil, FieldErrors{{Field: list, Message: fmt.Sprintf("Keep at most %d of these; there are more.", maxRows)}}
		}
		rows = append(rows, T(row))
		field := rowField(list, i)
		if problem := check(row.Value); problem != nil {
			errs = append(errs, FieldError{field, problem.Message, problem.Suggestion})
		} else if earlier, ok := first[row.Value]; ok {
			errs = append(errs, FieldError{Field: field, Message: fmt.Sprintf("Remove this one: number %d says the same.", earlier+1)})
		} else {
			first[row.Value] = i
		}
		if message, suggestion := checkText(row.Note, NoteMaxChars); message != "" {
			errs = append(errs, FieldError{field + ".note", message, suggestion})
		}
	}
	if errs != nil {
		return nil, errs
	}
	return rows, nil
}
