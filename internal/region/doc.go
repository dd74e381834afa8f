// Package region owns the regions of a service: cells that share nothing, each a whole
// Gatelodge with its own database, people and applications. [Setting] says which region
// this is, which are its neighbours and which countries are at home where; [Party] signs
// people in who have their account in a neighbour.
//
// Regions trust each other as any application trusts a server that it signs people in
// with: by OpenID Connect, with a profile at the other that its operator has admitted.
// So a region learns of a person what that person lets it learn, and a region that is
// taken over is worth no more to its neighbours than an application.
package region
