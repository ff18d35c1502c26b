// Package packages installs, upgrades, removes and purges what `make packages` builds:
//
//	scripts/release.sh ──► .deb, .rpm ──► dpkg, rpm ──► a directory that is the machine's root
//
// Maintainer scripts run, told by DPKG_ROOT that this is no running system (test/clients
// installs into one that runs). Nothing is fetched, and nothing outside the directory is
// touched.
//
// It has tests only, behind the build tag e2e. It refuses to know what a store holds: it
// must come through byte for byte.
package packages
