//! A terminal's screen as SVG, as a dark terminal shows it, and the same in any monospaced font.
//!
//! Text is placed run by run, and a run never has two blanks in a row, so that a slightly wider font shifts nothing. Lines
//! and blocks are drawn as shapes, so that they join. Symbols are centred on their cell, since fonts disagree about their
//! width.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::palette::{BACKGROUND, FOREGROUND, Rgb, of};

/// In pixels; a character of 15 px is 9 wide in nearly every monospaced font.
const CELL_WIDTH: usize = 9;
const CELL_HEIGHT: usize = 20;
const FONT_SIZE: usize = 15;
const BASELINE: usize = 15;
const MARGIN: usize = 16;

pub(super) struct Picture {
    rows: Vec<Vec<Cell>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Cell {
    text: String,
    style: Style,
    /// The number of cells it takes; 0 is the second half of a wide character.
    width: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Style {
    ink: Rgb,
    paper: Rgb,
    bold: bool,
    italic: bool,
    underline: bool,
}

/// Where a cell begins, in pixels.
#[derive(Debug, Clone, Copy)]
struct At {
    x: usize,
    y: usize,
}

impl At {
    const fn cell(row: usize, column: usize) -> Self {
        Self { x: MARGIN + column * CELL_WIDTH, y: MARGIN + row * CELL_HEIGHT }
    }
}

impl Picture {
    pub(super) fn of(screen: &vt100::Screen) -> Self {
        let (rows, columns) = screen.size();
        let cursor = (!screen.hide_cursor()).then(|| screen.cursor_position());
        let row = |row| {
            (0..columns.get())
                .map(|column| Cell::of(screen, row, column, cursor == Some((row, column))))
                .collect()
        };
        Self { rows: (0..rows.get()).map(row).collect() }
    }

    /// Overwrites a text that must not be shown with other characters of the same width.
    pub(super) fn replace(&mut self, text: &str, substitute: impl Iterator<Item = char> + Clone) {
        let wanted: Vec<String> = text.chars().map(String::from).collect();
        for row in &mut self.rows {
            for start in 0..(row.len() + 1).saturating_sub(wanted.len()) {
                let found = &mut row[start..start + wanted.len()];
                if found.iter().map(|cell| &cell.text).eq(&wanted) {
                    for (cell, character) in found.iter_mut().zip(substitute.clone()) {
                        cell.text = character.into();
                    }
                }
            }
        }
    }

    /// Everything readable as one text without blanks, so that wrapped text can be found in it too.
    pub(super) fn text(&self) -> String {
        self.rows.iter().flatten().flat_map(|cell| cell.text.chars()).filter(|c| *c != ' ').collect()
    }

    pub(super) fn to_svg(&self, title: &str) -> String {
        let columns = self.rows.first().map_or(0, Vec::len);
        let (width, height) = (columns * CELL_WIDTH + 2 * MARGIN, self.rows.len() * CELL_HEIGHT + 2 * MARGIN);
        let mut shapes = Shapes::default();
        let mut text = String::new();
        for (number, row) in self.rows.iter().enumerate() {
            draw_row(number, row, &mut shapes, &mut text);
        }
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\">\n<title>{title}</title>\n\
             <rect x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"8\" fill=\"{BACKGROUND}\" stroke=\"#3a4150\"/>\n\
             {shapes}<g font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" \
             font-size=\"{FONT_SIZE}\" fill=\"{FOREGROUND}\">\n{text}</g>\n</svg>\n",
            width - 1,
            height - 1,
            title = escape(title),
        )
    }
}

impl Cell {
    fn of(screen: &vt100::Screen, row: u16, column: u16, has_cursor: bool) -> Self {
        let cell = screen.cell(row, column).unwrap();
        let (mut ink, mut paper) = (of(cell.fgcolor(), FOREGROUND), of(cell.bgcolor(), BACKGROUND));
        if cell.inverse() != has_cursor {
            std::mem::swap(&mut ink, &mut paper);
        }
        if cell.dim() {
            ink = ink.towards(paper);
        }
        let text = if cell.has_contents() { cell.contents() } else { " " };
        let width = if cell.is_wide() { 2 } else { usize::from(!cell.is_wide_continuation()) };
        let style =
            Style { ink, paper, bold: cell.bold(), italic: cell.italic(), underline: cell.underline() };
        Self { text: if width == 0 { String::new() } else { text.to_owned() }, style, width }
    }

    fn is_blank(&self) -> bool {
        self.text == " "
    }

    /// Whether fonts may disagree about it; everything before the arrows is a letter or a sign that all fonts have.
    fn is_symbol(&self) -> bool {
        self.width == 2 || self.text.chars().any(|character| character >= '\u{2190}')
    }
}

/// Rectangles and lines by style: one element for each style, whatever their number.
#[derive(Default)]
struct Shapes {
    papers: BTreeMap<Rgb, String>,
    /// By colour and its percentage.
    blocks: BTreeMap<(Rgb, u32), String>,
    /// By colour and thickness.
    lines: BTreeMap<(Rgb, u32), String>,
}

impl std::fmt::Display for Shapes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (colour, path) in &self.papers {
            writeln!(f, "<path fill=\"{colour}\" shape-rendering=\"crispEdges\" d=\"{path}\"/>")?;
        }
        for ((colour, percent), path) in &self.blocks {
            let opacity = f64::from(*percent) / 100.0;
            writeln!(
                f,
                "<path fill=\"{colour}\" fill-opacity=\"{opacity}\" shape-rendering=\"crispEdges\" d=\"{path}\"/>"
            )?;
        }
        for ((colour, thickness), path) in &self.lines {
            writeln!(
                f,
                "<path fill=\"none\" stroke=\"{colour}\" stroke-width=\"{thickness}\" d=\"{path}\"/>"
            )?;
        }
        Ok(())
    }
}

fn draw_row(number: usize, row: &[Cell], shapes: &mut Shapes, text: &mut String) {
    for (start, cells) in stretches(row, |a, b| a.style.paper == b.style.paper) {
        let paper = cells[0].style.paper;
        if paper != BACKGROUND {
            let path = shapes.papers.entry(paper).or_default();
            rectangle(path, At::cell(number, start), cells.len() * CELL_WIDTH);
        }
    }
    for (start, cells) in stretches(row, |a, b| a.style == b.style && a.text == b.text) {
        if let Some(character) = cells[0].text.chars().next() {
            draw_shape(character, cells[0].style.ink, At::cell(number, start), cells.len(), shapes);
        }
    }
    let run = |a: &Cell, b: &Cell| {
        a.style == b.style && !is_shape(a) && !is_shape(b) && !a.is_symbol() && !b.is_symbol() && b.width > 0
    };
    for (start, cells) in stretches(row, run) {
        draw_text(At::cell(number, start), cells, text);
    }
}

/// Neighbouring cells that belong together, with the column of the first.
fn stretches(
    row: &[Cell],
    together: impl FnMut(&Cell, &Cell) -> bool,
) -> impl Iterator<Item = (usize, &[Cell])> {
    row.chunk_by(together).scan(0, |column, cells| {
        let start = *column;
        *column += cells.len();
        Some((start, cells))
    })
}

fn rectangle(path: &mut String, at: At, width: usize) {
    let _ = write!(path, "M{} {}h{width}v{CELL_HEIGHT}h-{width}z", at.x, at.y);
}

fn is_shape(cell: &Cell) -> bool {
    cell.text.chars().all(|character| arms(character).is_some() || shade(character).is_some())
        && cell.width > 0
}

/// How much ink a block's cell has, in percent, and how much of its width it fills, in eighths.
const fn shade(character: char) -> Option<(u32, usize)> {
    match character {
        '█' => Some((100, 8)),
        '▓' => Some((80, 8)),
        '▒' => Some((50, 8)),
        '░' => Some((25, 8)),
        '▌' => Some((100, 4)),
        _ => None,
    }
}

/// The directions of a box character's lines from the centre (left, right, up, down), and their thickness.
const fn arms(character: char) -> Option<([bool; 4], u32)> {
    let directions = match character {
        '─' | '━' => [true, true, false, false],
        '│' | '┃' => [false, false, true, true],
        '┌' | '╭' => [false, true, false, true],
        '┐' | '╮' => [true, false, false, true],
        '└' | '╰' => [false, true, true, false],
        '┘' | '╯' => [true, false, true, false],
        '├' => [false, true, true, true],
        '┤' => [true, false, true, true],
        '┬' => [true, true, false, true],
        '┴' => [true, true, true, false],
        '┼' => [true, true, true, true],
        '╴' => [true, false, false, false],
        '╶' => [false, true, false, false],
        _ => return None,
    };
    Some((directions, if matches!(character, '━' | '┃') { 3 } else { 1 }))
}

fn draw_shape(character: char, ink: Rgb, at: At, count: usize, shapes: &mut Shapes) {
    if let Some((percent, eighths)) = shade(character) {
        let path = shapes.blocks.entry((ink, percent)).or_default();
        if eighths == 8 {
            return rectangle(path, at, count * CELL_WIDTH);
        }
        for nth in 0..count {
            rectangle(path, At { x: at.x + nth * CELL_WIDTH, ..at }, CELL_WIDTH * eighths / 8);
        }
    }
    let Some(([left, right, up, down], thickness)) = arms(character) else { return };
    let path = shapes.lines.entry((ink, thickness)).or_default();
    // On half pixels, so that a line of one pixel covers one pixel.
    let middle = at.y + CELL_HEIGHT / 2;
    if left && right && !up && !down {
        let _ = write!(path, "M{} {middle}.5h{}", at.x, count * CELL_WIDTH);
        return;
    }
    for nth in 0..count {
        let x = at.x + nth * CELL_WIDTH;
        let centre = x + CELL_WIDTH / 2;
        for (drawn, from, to) in [(left, x, centre), (right, centre, x + CELL_WIDTH)] {
            if drawn {
                let _ = write!(path, "M{from} {middle}.5h{}", to - from);
            }
        }
        for (drawn, from, to) in [(up, at.y, middle), (down, middle, at.y + CELL_HEIGHT)] {
            if drawn {
                let _ = write!(path, "M{centre}.5 {from}v{}", to - from);
            }
        }
    }
}

/// Cells of one style, cut wherever two blanks are adjacent.
fn draw_text(at: At, cells: &[Cell], text: &mut String) {
    let blank = |a: &Cell, b: &Cell| a.is_blank() && b.is_blank();
    let mut start = 0;
    while start < cells.len() {
        let rest = &cells[start..];
        let skipped = rest.iter().take_while(|cell| cell.is_blank() || is_shape(cell)).count();
        let rest = &rest[skipped..];
        let mut end = rest.windows(2).position(|two| blank(&two[0], &two[1])).unwrap_or(rest.len());
        while end > 0 && rest[end - 1].is_blank() {
            end -= 1;
        }
        if end > 0 {
            let x = at.x + (start + skipped) * CELL_WIDTH;
            draw_run(At { x, ..at }, &rest[..end], text);
        }
        start += skipped + end.max(1);
    }
}

fn draw_run(at: At, cells: &[Cell], text: &mut String) {
    let words: String = cells.iter().map(|cell| cell.text.as_str()).collect();
    if words.is_empty() {
        return;
    }
    let width = cells.iter().map(|cell| cell.width).sum::<usize>() * CELL_WIDTH;
    let style = cells[0].style;
    let mut look = String::new();
    for (wanted, attribute) in [
        (style.bold, " font-weight=\"bold\""),
        (style.italic, " font-style=\"italic\""),
        (style.underline, " text-decoration=\"underline\""),
    ] {
        if wanted {
            look += attribute;
        }
    }
    if style.ink != FOREGROUND {
        let _ = write!(look, " fill=\"{}\"", style.ink);
    }
    let y = at.y + BASELINE;
    let place = if cells[0].is_symbol() {
        format!("x=\"{}.5\" y=\"{y}\" text-anchor=\"middle\"", at.x + width / 2)
    } else {
        format!("x=\"{}\" y=\"{y}\" textLength=\"{width}\" lengthAdjust=\"spacingAndGlyphs\"", at.x)
    };
    let _ = writeln!(text, "<text {place}{look}>{}</text>", escape(&words));
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// What a terminal of 12 columns shows after these bytes.
fn picture(bytes: &str) -> Picture {
    let size = |cells| std::num::NonZeroU16::new(cells).unwrap();
    let mut parser = vt100::Parser::new(size(2), size(12), 0);
    parser.process(b"\x1b[?25l");
    parser.process(bytes.as_bytes());
    Picture::of(parser.screen())
}

#[test]
fn text_stands_at_its_column_whatever_the_font() {
    let svg = picture("ab  \x1b[1;31mc d\x1b[0m<").to_svg("a test");
    let at = |column: usize| MARGIN + column * CELL_WIDTH;
    for expected in [
        format!(
            "<text x=\"{}\" y=\"31\" textLength=\"18\" lengthAdjust=\"spacingAndGlyphs\">ab</text>",
            at(0)
        ),
        format!(
            "<text x=\"{}\" y=\"31\" textLength=\"27\" lengthAdjust=\"spacingAndGlyphs\" font-weight=\"bold\" \
             fill=\"#f2777a\">c d</text>",
            at(4)
        ),
        format!(
            "<text x=\"{}\" y=\"31\" textLength=\"9\" lengthAdjust=\"spacingAndGlyphs\">&lt;</text>",
            at(7)
        ),
    ] {
        assert!(svg.contains(&expected), "{expected}\n{svg}");
    }
}

#[test]
fn lines_wide_characters_and_reversed_cells_are_drawn_where_they_are() {
    let svg = picture("┌──日\x1b[7mx\x1b[0m\r\n│").to_svg("a test");
    let corner = format!("M20 26.5h5M20.5 26v10M25 26.5h{}", 2 * CELL_WIDTH);
    assert!(svg.contains(&corner), "{corner}\n{svg}");
    assert!(svg.contains("M20.5 36v10M20.5 46v10"), "the line goes on below\n{svg}");
    assert!(svg.contains("<text x=\"52.5\" y=\"31\" text-anchor=\"middle\">日</text>"), "{svg}");
    let reversed =
        format!("<path fill=\"{FOREGROUND}\" shape-rendering=\"crispEdges\" d=\"M61 16h9v20h-9z\"/>");
    assert!(svg.contains(&reversed) && svg.contains(&format!("fill=\"{BACKGROUND}\">x</text>")), "{svg}");
}

#[test]
fn a_secret_is_overwritten_wherever_it_stands() {
    let mut picture = picture("se secret\r\n=secret@");
    picture.replace("secret", "no".chars().cycle());
    assert_eq!(picture.text(), "senonono=nonono@");
}
