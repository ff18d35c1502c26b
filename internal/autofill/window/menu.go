package window

import "github.com/localpasskey/localpasskey/internal/macos"

// Command is what an item of the menu asks of us, where macOS has no action for it.
type Command int

// The commands. NoCommand is none.
const (
	NoCommand Command = iota
	Settings
	Reload
	Find
	Delete
)

// Script is what a command does in the page, "" for those that are not the page's. An item that
// there is nothing for does nothing.
func (c Command) Script() string {
	switch c {
	case Reload:
		return `location.reload()`
	case Find:
		return `{ const filter = document.getElementById("filter"); filter.focus(); filter.select(); }`
	case Delete:
		return `document.querySelector("#actions [data-act=delete]").click()`
	case NoCommand, Settings:
		return ""
	}
	return ""
}

// Item is an item of a menu: with an action or a command, with a menu of its own, or a line
// between others, which has nothing.
type Item struct {
	Title   string
	Action  macos.Action
	Command Command
	Key     string // with ⌘, "" for none
	Option  bool   // and ⌥
	Shift   bool   // and ⇧
	Items   []Item
}

// Modifiers are what is held down with the key.
func (i Item) Modifiers() uint {
	var held uint = macos.NSEventModifierFlagCommand
	if i.Option {
		held |= macos.NSEventModifierFlagOption
	}
	if i.Shift {
		held |= macos.NSEventModifierFlagShift
	}
	return held
}

// windows is the title of the menu that macOS lists windows in.
const windows = "Window"

// Menu is the app's menu. Without an Edit menu ⌘C, ⌘V and ⌘A do nothing in a text field.
func Menu() []Item {
	line := Item{}
	return []Item{
		{Title: "LocalPasskey", Items: []Item{
			{Title: "About LocalPasskey", Action: macos.ActionAbout},
			line,
			{Title: "AutoFill Settings…", Command: Settings, Key: ","},
			line,
			{Title: "Hide LocalPasskey", Action: macos.ActionHide, Key: "h"},
			{Title: "Hide Others", Action: macos.ActionHideOthers, Key: "h", Option: true},
			{Title: "Show All", Action: macos.ActionShowAll},
			line,
			{Title: "Quit LocalPasskey", Action: macos.ActionQuit, Key: "q"},
		}},
		{Title: "Edit", Items: []Item{
			{Title: "Cut", Action: macos.ActionCut, Key: "x"},
			{Title: "Copy", Action: macos.ActionCopy, Key: "c"},
			{Title: "Paste", Action: macos.ActionPaste, Key: "v"},
			{Title: "Select All", Action: macos.ActionSelectAll, Key: "a"},
			line,
			{Title: "Delete…", Command: Delete}, // its key is the page’s: in a text field it deletes text
			line,
			{Title: "Search", Command: Find, Key: "f"},
		}},
		{Title: "View", Items: []Item{
			{Title: "Reload", Command: Reload, Key: "r"},
		}},
		{Title: windows, Items: []Item{
			{Title: "Close", Action: macos.ActionClose, Key: "w"},
			{Title: "Minimize", Action: macos.ActionMinimize, Key: "m"},
			{Title: "Zoom", Action: macos.ActionZoom},
			line,
			{Title: "Bring All to Front", Action: macos.ActionFront},
		}},
	}
}
