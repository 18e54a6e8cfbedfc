package linkedin

import (
	"bytes"
	"image"
	_ "image/gif"  // formats that LinkedIn takes
	_ "image/jpeg" // as above
	_ "image/png"  // as above

	growth "github.com/zakibelm/astrogrowth"
)

// What LinkedIn takes as a picture. Its byte limit is not published; this is above what others quote.
const (
	MaxImageBytes = 8 << 20
	maxPixels     = 36_152_320 // and one that has as many is too large
	maxFrames     = 250
)

// Picture is what the bytes of an image say of it.
type Picture struct {
	Type          string // image/jpeg, image/png, image/gif
	Width, Height int
	Frames        int
}

// Inspect looks at an image's own bytes, whatever its name or its sender says, and refuses what LinkedIn would refuse.
// It decodes no pixels: a small file may stand for a large picture.
func Inspect(data []byte) (Picture, error) {
	invalid := func(format string, args ...any) error {
		return growth.InvalidField("linkedin.Inspect", "image", format, args...)
	}
	if len(data) == 0 {
		return Picture{}, invalid("the image is empty")
	}
	if len(data) > MaxImageBytes {
		return Picture{}, growth.Errorf(growth.TooLarge, "linkedin.Inspect", "the image is larger than %d MiB", MaxImageBytes>>20)
	}
	cfg, format, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return Picture{}, invalid("a JPG, PNG or GIF is needed")
	}
	p := Picture{Type: "image/" + format, Width: cfg.Width, Height: cfg.Height, Frames: 1}
	if int64(p.Width)*int64(p.Height) >= maxPixels {
		return Picture{}, invalid("the image has %d × %d pixels, fewer than %d are allowed", p.Width, p.Height, maxPixels)
	}
	if p.Width == 0 || p.Height == 0 {
		return Picture{}, invalid("the image has no pixels")
	}
	if format == "gif" {
		if p.Frames = gifFrames(data); p.Frames == 0 {
			return Picture{}, invalid("the GIF is broken")
		}
		if p.Frames > maxFrames {
			return Picture{}, invalid("the GIF has more than %d frames", maxFrames)
		}
	}
	return p, nil
}

// gifFrames counts the pictures of a GIF by walking over its blocks, 0 when they do not fit together. It stops one
// beyond what is allowed.
func gifFrames(data []byte) int {
	at := 13
	if len(data) < at {
		return 0
	}
	at += colourTable(data[10])
	for frames := 0; at < len(data); {
		switch data[at] {
		case 0x21: // extension: label, then sub-blocks
			at = afterBlocks(data, at+2)
		case 0x2C: // image: descriptor, its colours, code size, then sub-blocks
			if at+10 > len(data) {
				return 0
			}
			at = afterBlocks(data, at+10+colourTable(data[at+9])+1)
			if frames++; frames > maxFrames {
				return frames
			}
		case 0x3B: // the end
			return frames
		default:
			return 0
		}
		if at < 0 {
			return 0
		}
	}
	return 0
}

func colourTable(flags byte) int {
	if flags&0x80 == 0 {
		return 0
	}
	return 3 << (flags&7 + 1)
}

// afterBlocks is where a chain of sub-blocks ends, -1 when it never does.
func afterBlocks(data []byte, at int) int {
	for at < len(data) {
		n := int(data[at])
		at += 1 + n
		if n == 0 {
			return at
		}
	}
	return -1
}
