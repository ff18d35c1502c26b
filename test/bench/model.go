package main

import "fmt"

// chip is what is published of one: milliseconds of a light command and of TPM2_Sign with
// P-256, at the most. Most are of the bare bus; the laptop's is of its whole Linux.
type chip struct {
	name        string
	light, sign float64
}

// chips are from measurements that others have published; none was measured by us.
func chips() []chip {
	return []chip{
		{"ST33 in a ThinkPad X13, Linux", 21, 42.3},
		{"Infineon SLB9670", 8.9, 68.9},
		{"Infineon SLB9672", 9.1, 35.6},
		{"ST33KTPM2X", 6.5, 25.3},
		{"Nuvoton NPCT750", 7.5, 56.4},
		{"Nuvoton NPCT650", 13.1, 190.1},
		{"Nationz NS350", 8.0, 16.8},
		{"OP-TEE on a Jetson Orin", 0.9, 45.1},
	}
}

// model adds what a sign-in would take on published chips, by the commands that this run
// has counted: all but the signature are light.
func model(t *table) error {
	total, after := -1.0, -1.0
	for _, r := range t.rows {
		switch r.Name {
		case signInCounted:
			total = r.Value
		case signInCounted + afterTheGesture:
			after = r.Value
		}
	}
	if total < 1 || after < 1 {
		return fmt.Errorf("a sign-in took %v commands, %v after the gesture", total, after)
	}
	const section = "Modelled on published chips: a sign-in, at the most"
	for _, c := range chips() {
		for _, part := range []struct {
			name     string
			commands float64
		}{{", in all", total}, {afterTheGesture, after}} {
			value := (part.commands-1)*c.light + c.sign
			t.add(row{Section: section, Name: c.name + part.name, Value: value, Unit: "ms", Ratio: value / c.sign, Against: "its TPM2_Sign"})
		}
	}
	return nil
}
