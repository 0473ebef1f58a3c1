// Package web holds the built user interface of the console.
//
// The interface is a single-page application: `npm run build` leaves index.html, which every page address
// answers, and assets/ with content-hashed names, which never change once published. Go embeds the folder as it
// stands at compile time, so a binary built before the interface carries an empty one; its handler finds no
// index.html then, and says how to build it.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var embedded embed.FS

// Dist is the built interface, rooted at the folder that holds index.html. Before `npm run build` that file is
// missing: opening it answers fs.ErrNotExist.
func Dist() fs.FS {
	// fs.Sub refuses only names that fs.ValidPath refuses; this one is constant and valid.
	dist, _ := fs.Sub(embedded, "dist")
	return dist
}
