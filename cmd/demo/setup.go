package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"gatelodge/internal/account"
	"gatelodge/internal/audit"
	"gatelodge/internal/keyring"
	"gatelodge/internal/registry"
	"gatelodge/internal/server"
	"gatelodge/internal/sqldb"
	gatelodge "gatelodge/internal/store"
	"gatelodge/slate"
	"gatelodge/slate/portal"
	"gatelodge/slate/reports"
	"gatelodge/slate/store"
)

// namespace is the first part of identifiers.
const namespace = registry.Namespace("amzn1")

// credentials are those of a security profile.
type credentials struct{ ClientID, ClientSecret string }

// made is what the start needs of a world that was made. Its members name the places
// that the world was made for.
type made struct {
	Gatelodge, Slate string // base URLs
	Portal           credentials
	Downloader       credentials
	// Accounts are the numbers of the partners, in the order of partners.
	Accounts []int64
}

// maker makes the world before any server runs, as the commands of both programs would.
type maker struct {
	made
	dir       string
	now       time.Time
	gatelodge *gatelodge.Store
	slate     *store.Store
	accounts  map[string]account.Account   // by e-mail address
	subjects  func(accountID int64) string // who somebody is to Slate
}

func (m *maker) by() audit.By { return audit.By{At: m.now, Address: "demo"} }

// setUp makes the world in a new folder.
func setUp(ctx context.Context, dir, gatelodgeURL, slateURL string, now time.Time, progress func(reports.Progress)) (_ made, err error) {
	ring, err := keyring.LoadOrCreate(filepath.Join(dir, "keys"))
	if err != nil {
		return made{}, err
	}
	db, st, err := server.OpenStore(ctx, gatelodgeDatabase(dir), ring)
	if err != nil {
		return made{}, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	slateDB, slateStore, err := slate.OpenStore(ctx, slateDatabase(dir))
	if err != nil {
		return made{}, err
	}
	defer func() { err = errors.Join(err, slateDB.Close()) }()
	m := &maker{
		made: made{Gatelodge: gatelodgeURL, Slate: slateURL}, dir: dir, now: now, gatelodge: st, slate: slateStore,
		accounts: map[string]account.Account{},
	}
	if err := m.makePeople(ctx); err != nil {
		return made{}, err
	}
	downloader, err := m.makeProfiles(ctx)
	if err != nil {
		return made{}, err
	}
	for _, p := range partners {
		if err := m.makePartner(ctx, p, downloader); err != nil {
			return made{}, err
		}
	}
	return m.made, m.publish(ctx, progress)
}

func gatelodgeDatabase(dir string) sqldb.Config {
	return sqldb.Config{Path: filepath.Join(dir, "gatelodge.db")}
}

func slateDatabase(dir string) sqldb.Config {
	return sqldb.Config{Path: filepath.Join(dir, "slate.db")}
}

func (m *maker) makePeople(ctx context.Context) error {
	if _, err := m.gatelodge.Identify(ctx, string(namespace), m.now); err != nil {
		return err
	}
	hash, err := account.NewHasher(account.HasherOptions{}).Hash(ctx, password)
	if err != nil {
		return err
	}
	for _, p := range people {
		n := gatelodge.NewAccount{Email: p.Email, EmailKey: account.EmailKey(p.Email), Name: p.Name, PasswordHash: hash, Confirmed: m.now}
		if p.operator {
			n.Operator = m.now
		}
		if p.company != "" {
			n.Developer = &gatelodge.NewDeveloper{Company: p.company, Country: "US"}
		}
		if m.accounts[p.Email], err = m.gatelodge.CreateAccount(ctx, n, m.by()); err != nil {
			return fmt.Errorf("%s: %w", p.Email, err)
		}
	}
	return nil
}

// makeProfiles makes Slate's own profile, which is an API, its scope, and the profile
// of the downloader.
func (m *maker) makeProfiles(ctx context.Context) (downloader registry.SecurityProfile, err error) {
	settings := registry.DefaultSettings(registry.Web)
	settings.BackChannelLogoutURI = m.Slate + portal.BackChannelPath
	own, err := m.makeProfile(ctx, operatorEmail, &m.Portal, gatelodge.NewProfile{
		Form:       registry.ProfileForm{Name: "Slate", Description: "The partner portal.", PrivacyURL: m.Slate + "/help"},
		Settings:   settings,
		ReturnURLs: []registry.ReturnURL{{Value: m.Slate + portal.ReturnPath}}, PostLogoutURLs: []registry.ReturnURL{{Value: m.Slate + portal.SignedOutPath}},
	})
	if err != nil {
		return downloader, err
	}
	// One developer account knows somebody by one id: at sign-in and about tokens.
	identity, err := m.gatelodge.Identify(ctx, string(namespace), m.now)
	if err != nil {
		return downloader, err
	}
	ids := registry.NewUserIDs(namespace, identity.SubjectKey)
	m.subjects = func(accountID int64) string { return ids.Of(own.DeveloperID, accountID) }
	if err := m.gatelodge.SetAudience(ctx, own.ID, audience(m.Slate), m.by()); err != nil {
		return downloader, err
	}
	all, _, err := m.gatelodge.Scopes(ctx)
	if err != nil {
		return downloader, err
	}
	table, err := registry.NewScopes(all)
	if err != nil {
		return downloader, err
	}
	reporting, problems := registry.ParseScope(registry.ScopeForm{
		Name: scope, Label: "See your reports in Slate", Detail: "The reports of your partner accounts.", Essential: true, Audience: own.ID,
	}, table)
	if problems != nil {
		return downloader, fmt.Errorf("the scope %s: %v", scope, problems)
	}
	if _, err := m.gatelodge.CreateScope(ctx, reporting, m.by()); err != nil {
		return downloader, err
	}
	return m.makeProfile(ctx, developerEmail, &m.Downloader, gatelodge.NewProfile{
		Form:     registry.ProfileForm{Name: "Video Report Downloader", Description: "Fetches the reports of a partner every night.", PrivacyURL: m.Slate + "/help"},
		Settings: registry.DefaultSettings(registry.Web),
		ReturnURLs: []registry.ReturnURL{
			{Value: "http://127.0.0.1:8976/return", Note: "the program itself"},
			{Value: "https://localhost", Note: "for a code to be copied"},
		},
	})
}

func (m *maker) makeProfile(ctx context.Context, owner string, c *credentials, n gatelodge.NewProfile) (registry.SecurityProfile, error) {
	developer, err := m.gatelodge.DeveloperOf(ctx, m.accounts[owner].ID)
	if err != nil {
		return registry.SecurityProfile{}, err
	}
	n.DeveloperID, n.Secret = developer.ID, registry.NewClientSecret(namespace)
	p, err := m.gatelodge.CreateProfile(ctx, n, m.by())
	*c = credentials{namespace.ClientID(p.Client), n.Secret}
	return p, err
}

// makePartner makes an account at Slate. People come in as everywhere: they are
// invited, and sign in, which most have done once.
func (m *maker) makePartner(ctx context.Context, p partner, downloader registry.SecurityProfile) error {
	by := store.Actor{At: m.now}
	a, err := m.slate.CreateAccount(ctx, p.name, by)
	if err != nil {
		return err
	}
	m.Accounts = append(m.Accounts, a.ID)
	if err := m.slate.SetStatementID(ctx, a.ID, p.statementID, by); err != nil {
		return err
	}
	for _, who := range people {
		rights, isMember := p.rights[who.Email]
		if !isMember {
			continue
		}
		if err := m.slate.Invite(ctx, a.ID, who.Email, rights, m.now.AddDate(0, 1, 0), by); err != nil {
			return err
		}
		if who.invited {
			continue
		}
		signedIn, err := m.slate.SignIn(ctx, m.subjects(m.accounts[who.Email].ID), who.Name, who.Email, m.now)
		if err != nil {
			return err
		}
		if who.Email == p.letsIn {
			if err := m.letIn(ctx, a.ID, downloader, store.Actor{PersonID: signedIn.ID, At: m.now}); err != nil {
				return err
			}
		}
	}
	return putReports(reportsFolder(m.dir), a.ID, p.shelf, m.now)
}

// letIn puts the downloader on the safelist of an account. Slate then has a page about
// it, which is what its Consent Privacy Notice URL is for.
func (m *maker) letIn(ctx context.Context, accountID int64, downloader registry.SecurityProfile, by store.Actor) error {
	id, err := m.slate.AddApplication(ctx, store.Application{
		AccountID: accountID, ClientID: m.Downloader.ClientID, Reporting: true, Name: downloader.Name, Publisher: "Report Tools",
		Purpose: "Fetches our reports every night and keeps them in our archive. It sees reports and nothing else.",
	}, by)
	if err != nil {
		return err
	}
	form := registry.ProfileForm{
		Name: downloader.Name, Description: downloader.Description, PrivacyURL: fmt.Sprintf("%s/applications/%d", m.Slate, id),
	}
	return m.gatelodge.UpdateProfile(ctx, downloader.DeveloperID, downloader.ID, downloader.Version, form, gatelodge.LogoChange{}, m.by())
}

// publish has Slate take in what is in the folder.
func (m *maker) publish(ctx context.Context, progress func(reports.Progress)) error {
	library, err := slate.OpenLibrary(ctx, m.slate, slate.Config{
		Folder: reportsFolder(m.dir), Archives: archivesFolder(m.dir), Logger: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	if err != nil {
		return err
	}
	result, err := library.Scan(ctx, progress)
	if err == nil && result.SetAside+result.Waiting > 0 {
		err = fmt.Errorf("%d reports were set aside, and %d left for later", result.SetAside, result.Waiting)
	}
	return err
}

func reportsFolder(dir string) string  { return filepath.Join(dir, "reports") }
func archivesFolder(dir string) string { return filepath.Join(dir, "archives") }
func audience(slateURL string) string  { return slateURL + "/apis" }
