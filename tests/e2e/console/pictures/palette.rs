//! The colours that a dark terminal gives to the sixteen names, to the numbers after them, and to dimmed text.

use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rgb(u8, u8, u8);

pub(super) const BACKGROUND: Rgb = Rgb(0x16, 0x1a, 0x22);
pub(super) const FOREGROUND: Rgb = Rgb(0xd5, 0xda, 0xe3);

/// Each except black has enough contrast against the background to be read as text.
const SIXTEEN: [Rgb; 16] = [
    Rgb(0x2a, 0x30, 0x3b),
    Rgb(0xf2, 0x77, 0x7a),
    Rgb(0x8f, 0xd1, 0x80),
    Rgb(0xe8, 0xc2, 0x66),
    Rgb(0x7f, 0xab, 0xf2),
    Rgb(0xcb, 0x98, 0xec),
    Rgb(0x72, 0xca, 0xd8),
    Rgb(0xc3, 0xc9, 0xd4),
    Rgb(0x6b, 0x74, 0x84),
    Rgb(0xff, 0x9a, 0x9c),
    Rgb(0xb0, 0xe4, 0xa4),
    Rgb(0xf5, 0xd8, 0x90),
    Rgb(0xa5, 0xc5, 0xfa),
    Rgb(0xdf, 0xb8, 0xf7),
    Rgb(0x9d, 0xe0, 0xea),
    Rgb(0xff, 0xff, 0xff),
];

/// A terminal's colour; `default` applies if none is set.
pub(super) fn of(colour: vt100::Color, default: Rgb) -> Rgb {
    match colour {
        vt100::Color::Default => default,
        vt100::Color::Rgb(red, green, blue) => Rgb(red, green, blue),
        vt100::Color::Idx(number @ 0..=15) => SIXTEEN[usize::from(number)],
        // xterm's cube has six steps per colour; 24 greys follow.
        vt100::Color::Idx(number @ 16..=231) => {
            let step = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
            let cube = number - 16;
            Rgb(step(cube / 36), step(cube / 6 % 6), step(cube % 6))
        }
        vt100::Color::Idx(number) => {
            let grey = 8 + 10 * (number - 232);
            Rgb(grey, grey, grey)
        }
    }
}

impl Rgb {
    /// Two fifths of the way to the background: dimmed, and still legible.
    pub(super) fn towards(self, paper: Self) -> Self {
        let mix = |ink: u8, paper: u8| ((u16::from(ink) * 3 + u16::from(paper) * 2) / 5).try_into().unwrap();
        Self(mix(self.0, paper.0), mix(self.1, paper.1), mix(self.2, paper.2))
    }
}

impl fmt::Display for Rgb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }
}
