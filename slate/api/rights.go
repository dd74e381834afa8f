package api

import (
	"errors"
	"strconv"

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

// account finds the account that a path names.
func (a *API) account(c *call) (store.Access, error) {
	found, err := a.accessTo(c)
	if err != nil {
		return found, err
	}
	return found, a.allow(c, found)
}

// accessTo finds an account by its number. Financial statements go by an id of their
// own too (slate.md section 10).
func (a *API) accessTo(c *call) (found store.Access, err error) {
	name := c.PathValue("account")
	err = store.ErrNotFound
	if id, ok := parseID("", name); ok {
		found, err = a.Store.AccessTo(c.Context(), c.who.Subject, c.who.ClientID, id)
	}
	if errors.Is(err, store.ErrNotFound) && c.PathValue("group") == store.GroupStatements && store.CleanFolder(name) {
		found, err = a.Store.AccessToStatements(c.Context(), c.who.Subject, c.who.ClientID, name)
	}
	if errors.Is(err, store.ErrNotFound) {
		return found, noAccount()
	}
	return found, err
}

func noAccount() *refusal { return notFound("The user belongs to no account with this id.") }

// allow refuses a call to an account in which a half is missing, and notes one in which
// none is.
func (a *API) allow(c *call, to store.Access) error {
	number := accountID(to.Account)
	noPermission := "The user does not have the permission Reports: View Only in account " + number + ". A manager of the account can give it under Account settings > Users."
	noApplication := "Account " + number + " has not let the application in. A manager of the account can add its client ID with Reporting under Account settings > Applications."
	switch {
	case !to.Reports && !to.Reporting:
		return lacking(noPermission+" "+noApplication, halfPermission, halfApplication)
	case !to.Reports:
		return lacking(noPermission, halfPermission)
	case !to.Reporting:
		return lacking(noApplication, halfApplication)
	}
	a.called(c, to.Application)
	return nil
}

// place finds the channel and the type that a path names: by their ids in one query,
// which is how nearly every call for reports comes.
func (a *API) place(c *call, typeID int64) (store.Place, error) {
	group, err := knownGroup(c)
	account, isNumber := parseID("", c.PathValue("account"))
	channel, isID := parseID(channelPrefix, c.PathValue("channel"))
	if err == nil && isNumber && isID {
		p, err := a.Store.PlaceOf(c.Context(), c.who.Subject, c.who.ClientID, account, group, channel, typeID)
		if err == nil {
			a.called(c, p.Application)
		}
		if !errors.Is(err, store.ErrNotFound) {
			return p, err
		}
	}
	// It has another name, or something is missing, and what it is is looked for.
	p := store.Place{}
	if p.Channel, err = a.channelByName(c); err == nil {
		p.Type, err = a.Store.Type(c.Context(), p.Channel.ID, typeID)
	}
	return p, err
}

// channelByName finds a channel that may be named by the identifier of financial
// statements, in an account that may be named by theirs (section 10). It says what is
// not there: whoever may not see the account hears that first.
func (a *API) channelByName(c *call) (channel store.Channel, err error) {
	account, err := a.account(c)
	if err != nil {
		return channel, err
	}
	group, err := knownGroup(c)
	if err != nil {
		return channel, err
	}
	name := c.PathValue("channel")
	err = store.ErrNotFound
	if id, ok := parseID(channelPrefix, name); ok {
		channel, err = a.Store.Channel(c.Context(), account.ID, group, id)
	}
	if errors.Is(err, store.ErrNotFound) && group == store.GroupStatements && store.CleanFolder(name) {
		channel, err = a.Store.ChannelByFolder(c.Context(), account.ID, group, name)
	}
	return channel, err
}

func accountID(a store.Account) string { return strconv.FormatInt(a.ID, 10) }
