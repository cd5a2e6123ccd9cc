//! Colours: the terminal's own sixteen and its default, so that both light and dark backgrounds work.
//!
//! Invariant: no meaning depends on colour alone; each of these goes with a glyph or a word. Without colours, bold, dim and
//! reversed remain.

use ratatui::style::{Color, Modifier, Style};

use crate::ui::state::Colours;
use crate::ui::state::isolation::Tone;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Theme(pub(crate) Colours);

impl Theme {
    fn colour(self, colour: Color) -> Style {
        match self.0 {
            Colours::Sixteen => Style::new().fg(colour),
            Colours::None => Style::new(),
        }
    }

    pub(crate) const fn text() -> Style {
        Style::new()
    }

    pub(crate) const fn dim() -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    pub(crate) const fn strong() -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub(crate) const fn selected() -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    pub(crate) fn tone(self, tone: Tone) -> Style {
        match tone {
            Tone::Good => self.good(),
            Tone::Bad => self.bad(),
            Tone::Warning => self.warning(),
            Tone::Heading => Self::strong(),
            Tone::Plain => Self::text(),
            Tone::Dim => Self::dim(),
        }
    }

    pub(crate) fn good(self) -> Style {
        self.colour(Color::Green)
    }

    pub(crate) fn bad(self) -> Style {
        self.colour(Color::Red).add_modifier(Modifier::BOLD)
    }

    pub(crate) fn warning(self) -> Style {
        self.colour(Color::Yellow)
    }

    pub(crate) fn busy(self) -> Style {
        self.colour(Color::Cyan)
    }
}
