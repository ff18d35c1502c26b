package macos

// Minimum is the oldest macOS that everything without a version of its own is
// found on: the first with passkeys of other programs.
const Minimum = "14.0"

// What C hands over; all are as wide as a pointer.
type (
	// ID is an object.
	ID uintptr
	// Class is a class.
	Class uintptr
	// SEL is the name of a message.
	SEL uintptr
	// Ref is a Core Foundation object. Those named CF… and NS… alike are both.
	Ref uintptr
	// Pointer is any other pointer.
	Pointer uintptr
)

// Blocks, by what they are called with.
type (
	// BlockBool is called with a BOOL.
	BlockBool uintptr
	// BlockBoolError is called with a BOOL and an NSError, 0 for none.
	BlockBoolError uintptr
	// BlockState is called with an object.
	BlockState uintptr
	// BlockResult is called with an object and an NSError; 0 for none who listens.
	BlockResult uintptr
	// BlockPolicy is the system's: we call it, once, with a number. See Library.Answer.
	BlockPolicy uintptr
)

// Size is CGSize.
type Size struct{ Width, Height float64 }

// Point is CGPoint.
type Point struct{ X, Y float64 }

// Rect is CGRect.
type Rect struct {
	Origin Point
	Size   Size
}
