//! Just enough SVG for line icons: `path`, `circle`, `rect`, `line`, flattened to points.

use std::f32::consts::TAU;

use egui::{Pos2, Vec2, pos2, vec2};

use super::Lines;

/// The lines of all shapes in an icon's file. Shapes it does not know are left out.
pub fn lines(svg: &str) -> Lines {
    let mut lines = Lines::new();
    for tag in svg.split('<').skip(1) {
        let number = |name: &str| attribute(tag, name).and_then(|text| text.parse::<f32>().ok()).unwrap_or(0.0);
        match tag.split_whitespace().next() {
            Some("path") => lines.extend(attribute(tag, "d").map(path).unwrap_or_default()),
            Some("circle") => lines.push(circle(pos2(number("cx"), number("cy")), number("r"))),
            Some("line") => lines.push(vec![pos2(number("x1"), number("y1")), pos2(number("x2"), number("y2"))]),
            Some("rect") => {
                let (min, size) = (pos2(number("x"), number("y")), vec2(number("width"), number("height")));
                lines.push(rounded(min, min + size, number("rx")));
            }
            _ => {}
        }
    }
    lines
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let start = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    tag[start..].split('"').next()
}

fn circle(center: Pos2, radius: f32) -> Vec<Pos2> {
    (0..=32).map(|i| center + radius * Vec2::angled(TAU * i as f32 / 32.0)).collect()
}

fn rounded(min: Pos2, max: Pos2, radius: f32) -> Vec<Pos2> {
    let corners = [(max.x, max.y, 0.0), (min.x, max.y, 0.25), (min.x, min.y, 0.5), (max.x, min.y, 0.75)];
    let mut points = Vec::new();
    for (x, y, turn) in corners {
        let inset = |edge: f32, low: f32| if edge == low { edge + radius } else { edge - radius };
        let center = pos2(inset(x, min.x), inset(y, min.y));
        points.extend((0..=6).map(|i| center + radius * Vec2::angled(TAU * (turn + i as f32 / 24.0))));
    }
    points.push(points[0]);
    points
}

/// The `d` of a path: every command of SVG 1.1 but the smooth curves, which the icons do not use.
fn path(d: &str) -> Lines {
    let mut reader = Reader { rest: d.as_bytes() };
    let mut lines = Lines::new();
    let (mut at, mut command) = (Pos2::ZERO, b'M');
    while let Some(next) = reader.command_or(command) {
        command = next;
        let relative = command.is_ascii_lowercase();
        let base = if relative { at.to_vec2() } else { Vec2::ZERO };
        match command.to_ascii_uppercase() {
            b'M' => {
                at = reader.point() + base;
                lines.push(vec![at]);
                command = if relative { b'l' } else { b'L' };
                continue;
            }
            b'Z' => {
                at = lines.last().map_or(at, |line| line[0]);
                push(&mut lines, at);
                lines.push(vec![at]);
                continue;
            }
            b'L' => at = reader.point() + base,
            b'H' => at.x = reader.number() + base.x,
            b'V' => at.y = reader.number() + base.y,
            b'C' => {
                let (a, b, end) = (reader.point() + base, reader.point() + base, reader.point() + base);
                for i in 1..=12 {
                    push(&mut lines, cubic(at, a, b, end, i as f32 / 12.0));
                }
                at = end;
                continue;
            }
            b'A' => {
                let radius = reader.point().to_vec2();
                let rotation = reader.number();
                let (large, sweep) = (reader.flag(), reader.flag());
                let end = reader.point() + base;
                for point in arc(at, end, radius, rotation.to_radians(), large, sweep) {
                    push(&mut lines, point);
                }
                at = end;
                continue;
            }
            _ => break,
        }
        push(&mut lines, at);
    }
    lines.retain(|line| line.len() > 1);
    lines
}

fn push(lines: &mut Lines, point: Pos2) {
    if let Some(line) = lines.last_mut() {
        line.push(point);
    }
}

fn cubic(start: Pos2, a: Pos2, b: Pos2, end: Pos2, t: f32) -> Pos2 {
    let u = 1.0 - t;
    let sum = start.to_vec2() * (u * u * u)
        + a.to_vec2() * (3.0 * u * u * t)
        + b.to_vec2() * (3.0 * u * t * t)
        + end.to_vec2() * (t * t * t);
    sum.to_pos2()
}

/// Points of an elliptical arc after its start: SVG 1.1, appendix F.6.
fn arc(start: Pos2, end: Pos2, radius: Vec2, rotation: f32, large: bool, sweep: bool) -> Vec<Pos2> {
    let (sin, cos) = rotation.sin_cos();
    let turn = |v: Vec2| vec2(cos * v.x + sin * v.y, -sin * v.x + cos * v.y);
    let back = |v: Vec2| vec2(cos * v.x - sin * v.y, sin * v.x + cos * v.y);
    let half = turn((start - end) / 2.0);
    if radius.x == 0.0 || radius.y == 0.0 || half == Vec2::ZERO {
        return vec![end];
    }
    let spread = (half / radius).length();
    let radius = if spread > 1.0 { radius * spread } else { radius };
    let unit = half / radius;
    let length = unit.length_sq();
    let offset = ((1.0 - length).max(0.0) / length).sqrt() * if large == sweep { -1.0 } else { 1.0 };
    let middle = vec2(unit.y, -unit.x) * offset;
    let center = (start.to_vec2() + end.to_vec2()) / 2.0 + back(middle * radius);
    let (from, to) = ((unit - middle).angle(), (-unit - middle).angle());
    let mut angle = to - from;
    if sweep && angle < 0.0 {
        angle += TAU;
    } else if !sweep && angle > 0.0 {
        angle -= TAU;
    }
    let steps = (angle.abs() / TAU * 32.0).ceil().max(2.0) as usize;
    let point = |i: usize| center + back(Vec2::angled(from + angle * i as f32 / steps as f32) * radius);
    (1..steps).map(|i| point(i).to_pos2()).chain([end]).collect()
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn skip_separators(&mut self) {
        while let [b' ' | b',' | b'\n' | b'\t', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    /// The next command: a letter, or the last one again when a number follows.
    fn command_or(&mut self, last: u8) -> Option<u8> {
        self.skip_separators();
        let (&first, rest) = self.rest.split_first()?;
        if first.is_ascii_alphabetic() {
            self.rest = rest;
            return Some(first);
        }
        Some(last)
    }

    fn flag(&mut self) -> bool {
        self.skip_separators();
        let (first, rest) = self.rest.split_first().unwrap_or((&b'0', &[]));
        self.rest = rest;
        *first == b'1'
    }

    fn point(&mut self) -> Pos2 {
        pos2(self.number(), self.number())
    }

    fn number(&mut self) -> f32 {
        self.skip_separators();
        let (mut end, mut dotted) = (0, false);
        while let Some(&byte) = self.rest.get(end) {
            match byte {
                b'0'..=b'9' => {}
                b'-' if end == 0 => {}
                b'.' if !dotted => dotted = true,
                _ => break,
            }
            end += 1;
        }
        // A byte that is no number is passed over, so that reading always ends.
        let (text, rest) = self.rest.split_at(end.max(1).min(self.rest.len()));
        self.rest = rest;
        std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).unwrap_or(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_packed_numbers() {
        let lines = path("M1 2h3v-1l.5.5z");
        assert_eq!(lines, [vec![pos2(1.0, 2.0), pos2(4.0, 2.0), pos2(4.0, 1.0), pos2(4.5, 1.5), pos2(1.0, 2.0)]]);
    }

    #[test]
    fn a_half_circle_goes_round_its_center() {
        let lines = path("M0 0a5 5 0 0 1 10 0");
        let top = lines[0].iter().map(|point| point.y).fold(f32::MAX, f32::min);
        assert!((top + 5.0).abs() < 0.05, "{top}");
        assert!(lines[0].iter().all(|point| ((*point - pos2(5.0, 0.0)).length() - 5.0).abs() < 1e-3));
    }

    #[test]
    fn nonsense_ends() {
        for d in ["", "M", "L1", "M0 0 ?", "M0 0a", "zzz", "M1e9 0é"] {
            path(d);
        }
    }
}
