package api

import (
	"strconv"
	"time"

	"gatelodge/slate/store"
)

// access lists the accounts of the user with the rights of the call, anew at each.
func (a *API) access(c *call) ([]store.Access, error) {
	return a.Store.Access(c.Context(), c.who.Subject, c.who.ClientID)
}

// reachable keeps the accounts in which both halves are there. It refuses when there
// is none, and says what is missing.
func reachable(all []store.Access) ([]store.Access, error) {
	var both []store.Access
	permitted, letIn := false, false
	for _, a := range all {
		if a.Reports && a.Reporting {
			both = append(both, a)
		}
		permitted, letIn = permitted || a.Reports, letIn || a.Reporting
	}
	const (
		noPermission  = "The user has the permission Reports: View Only in none of their accounts. A manager of an account can give it under Account settings > Users."
		noApplication = "The application is let in to none of the accounts in which the user may see reports. A manager of an account can add its client ID with Reporting under Account settings > Applications."
		neither       = noPermission + " And no account of theirs has let the application in: its client ID is added with Reporting under Account settings > Applications."
	)
	switch {
	case len(both) > 0:
		return both, nil
	case len(all) == 0:
		return nil, lacking("The user belongs to no Slate account. They sign in to Slate once, and a manager of an account adds them under Account settings > Users.", halfPermission)
	case permitted:
		return nil, lacking(noApplication, halfApplication)
	case letIn:
		return nil, lacking(noPermission, halfPermission)
	}
	return nil, lacking(neither, halfPermission, halfApplication)
}

// account finds the account that a path names. Financial statements go by an id of
// their own too (slate.md section 10).
func (a *API) account(c *call) (store.Access, error) {
	all, err := a.access(c)
	if err != nil {
		return store.Access{}, err
	}
	name := c.PathValue("account")
	found, ok := find(all, func(x store.Access) bool { return accountID(x.Account) == name })
	if !ok && c.PathValue("group") == store.GroupStatements {
		found, ok = find(all, func(x store.Access) bool { return x.StatementID != "" && x.StatementID == name })
	}
	if !ok {
		return found, notFound("The user belongs to no account with this id.")
	}
	number := accountID(found.Account)
	noPermission := "The user does not have the permission Reports: View Only in account " + number + ". A manager of the account can give it under Account settings > Users."
	noApplication := "Account " + number + " has not let the application in. A manager of the account can add its client ID with Reporting under Account settings > Applications."
	switch {
	case !found.Reports && !found.Reporting:
		return found, lacking(noPermission+" "+noApplication, halfPermission, halfApplication)
	case !found.Reports:
		return found, lacking(noPermission, halfPermission)
	case !found.Reporting:
		return found, lacking(noApplication, halfApplication)
	}
	a.calls.note(map[int64]time.Time{found.Application: c.now})
	return found, nil
}

func find[T any](all []T, is func(T) bool) (T, bool) {
	for _, v := range all {
		if is(v) {
			return v, true
		}
	}
	var none T
	return none, false
}

func accountID(a store.Account) string { return strconv.FormatInt(a.ID, 10) }
