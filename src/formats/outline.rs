//! Outlines of dark shapes on a light ground as SVG paths (SVG 1.1, section 8.3): contours by marching squares (Lorensen
//! and Cline's cubes, in the plane) between the pixels' middles, made sparse (Ramer, 1972; Douglas and Peucker, 1973), with
//! curves where they turn gently and corners where they do not.

use std::{collections::HashMap, fmt::Write as _};

/// What is darker belongs to a shape.
const LEVEL: f32 = 127.5;
/// How far an outline may stray from the contour, in pixels.
const TOLERANCE: f32 = 0.16;
/// The cosine of the turn from which on a corner is sharp: 40°. Contours cut right angles into two turns of 45°.
const SHARP: f32 = 0.766;
/// Shapes of less area are specks, in square pixels.
const SPECK: f32 = 1.0;

type Point = [f32; 2];

/// An SVG of the shapes in a picture (`width · height · 3` bytes of red, green, blue), a unit a pixel; `metadata` is XML
/// that is put into it.
pub fn svg(width: u32, height: u32, rgb: &[u8], metadata: &str) -> String {
    let mut path = String::new();
    for contour in contours(width as usize, height as usize, rgb) {
        if area(&contour).abs() >= SPECK {
            put(&mut path, &sparse(&contour));
        }
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\">\n<metadata>{metadata}</metadata>\n\
         <path fill-rule=\"evenodd\" d=\"{path}\"/>\n</svg>\n"
    )
}

/// Closed contours around what is dark.
fn contours(width: usize, height: usize, rgb: &[u8]) -> Vec<Vec<Point>> {
    // White all around closes what the border cuts.
    let grey = |x: usize, y: usize| {
        if x == 0 || y == 0 || x > width || y > height {
            return 255.0;
        }
        let at = ((y - 1) * width + x - 1) * 3;
        0.299 * f32::from(rgb[at]) + 0.587 * f32::from(rgb[at + 1]) + 0.114 * f32::from(rgb[at + 2])
    };
    // Sides of cells that a contour crosses lead to the side where it goes on, what is dark at its right hand. A side is
    // named by its first pixel and whether it goes down.
    type Side = (usize, usize, bool);
    let mut next: HashMap<Side, Side> = HashMap::new();
    for y in 0..=height {
        for x in 0..=width {
            let corners = [grey(x, y), grey(x + 1, y), grey(x + 1, y + 1), grey(x, y + 1)];
            let dark = corners.map(|corner| corner < LEVEL);
            let (top, right, bottom, left) = ((x, y, false), (x + 1, y, true), (x, y + 1, false), (x, y, true));
            let mut link = |from: Side, to: Side| {
                next.insert(from, to);
            };
            let middle = corners.iter().sum::<f32>() / 4.0 < LEVEL;
            match dark {
                [false, false, false, false] | [true, true, true, true] => {}
                [true, false, false, false] => link(top, left),
                [false, true, false, false] => link(right, top),
                [false, false, true, false] => link(bottom, right),
                [false, false, false, true] => link(left, bottom),
                [true, true, false, false] => link(right, left),
                [false, true, true, false] => link(bottom, top),
                [false, false, true, true] => link(left, right),
                [true, false, false, true] => link(top, bottom),
                [false, true, true, true] => link(left, top),
                [true, false, true, true] => link(top, right),
                [true, true, false, true] => link(right, bottom),
                [true, true, true, false] => link(bottom, left),
                [true, false, true, false] if middle => {
                    link(top, right);
                    link(bottom, left);
                }
                [true, false, true, false] => {
                    link(top, left);
                    link(bottom, right);
                }
                [false, true, false, true] if middle => {
                    link(left, top);
                    link(right, bottom);
                }
                [false, true, false, true] => {
                    link(right, top);
                    link(left, bottom);
                }
            }
        }
    }
    let point = |(x, y, down): Side| -> Point {
        let (a, b) = (grey(x, y), if down { grey(x, y + 1) } else { grey(x + 1, y) });
        let way = ((LEVEL - a) / (b - a)).clamp(0.0, 1.0);
        // The middle of the first pixel lies at one half; one more was added around.
        let (x, y) = (x as f32 - 0.5, y as f32 - 0.5);
        if down { [x, y + way] } else { [x + way, y] }
    };
    let mut starts: Vec<Side> = next.keys().copied().collect();
    starts.sort_unstable();
    let mut found = Vec::new();
    for start in starts {
        let mut contour = Vec::new();
        let mut at = start;
        while let Some(to) = next.remove(&at) {
            contour.push(point(at));
            at = to;
        }
        if contour.len() > 2 {
            found.push(contour);
        }
    }
    found
}

/// The area inside a contour, negative when it goes round the other way.
fn area(contour: &[Point]) -> f32 {
    let pairs = contour.iter().zip(contour.iter().cycle().skip(1));
    pairs.map(|(a, b)| a[0] * b[1] - b[0] * a[1]).sum::<f32>() / 2.0
}

/// The contour's points without which it would stray too far.
fn sparse(contour: &[Point]) -> Vec<Point> {
    // Two points that surely stay: the first, and the one farthest from it.
    let far = |a: Point, b: Point| (a[0] - b[0]).hypot(a[1] - b[1]);
    let other = (0..contour.len()).max_by(|a, b| far(contour[0], contour[*a]).total_cmp(&far(contour[0], contour[*b])));
    let other = other.unwrap_or(0);
    let mut keep = vec![false; contour.len()];
    (keep[0], keep[other]) = (true, true);
    let mut spans = vec![(0, other), (other, contour.len())];
    while let Some((start, end)) = spans.pop() {
        let (a, b) = (contour[start], contour[end % contour.len()]);
        let length = far(a, b).max(1e-6);
        let off = |p: Point| ((b[0] - a[0]) * (a[1] - p[1]) - (a[0] - p[0]) * (b[1] - a[1])).abs() / length;
        let farthest = (start + 1..end).max_by(|i, j| off(contour[*i]).total_cmp(&off(contour[*j])));
        if let Some(farthest) = farthest.filter(|farthest| off(contour[*farthest]) > TOLERANCE) {
            keep[farthest] = true;
            spans.extend([(start, farthest), (farthest, end)]);
        }
    }
    contour.iter().zip(keep).filter(|(_, keep)| *keep).map(|(point, _)| *point).collect()
}

/// Appends a closed contour: from the middle of one side to that of the next, around corners or straight through them.
fn put(path: &mut String, contour: &[Point]) {
    let count = contour.len();
    let middle = |index: usize| {
        let (a, b) = (contour[index % count], contour[(index + 1) % count]);
        [(a[0] + b[0]) / 2.0, (a[1] + b[1]) / 2.0]
    };
    let say = |path: &mut String, letter: char, points: &[Point]| {
        path.push(letter);
        for [x, y] in points {
            let _ = write!(path, "{x:.2} {y:.2} ");
        }
    };
    say(path, 'M', &[middle(count - 1)]);
    for (index, at) in contour.iter().copied().enumerate() {
        let (before, after) = (middle(index + count - 1), middle(index));
        let (a, b) = ([at[0] - before[0], at[1] - before[1]], [after[0] - at[0], after[1] - at[1]]);
        let lengths = a[0].hypot(a[1]) * b[0].hypot(b[1]);
        let turn = (a[0] * b[0] + a[1] * b[1]) / lengths.max(1e-9);
        if turn < SHARP {
            say(path, 'L', &[at, after]);
        } else {
            say(path, 'Q', &[at, after]);
        }
    }
    path.push('Z');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(width: usize, height: usize, shade: impl Fn(f32, f32) -> f32) -> Vec<u8> {
        let pixel = |at: usize| shade((at % width) as f32 + 0.5, (at / width) as f32 + 0.5).clamp(0.0, 255.0) as u8;
        (0..width * height).flat_map(|at| [pixel(at); 3]).collect()
    }

    #[test]
    fn a_ring_has_two_outlines_of_its_radii() {
        let ring = drawn(40, 40, |x, y| {
            let away = ((x - 20.0).hypot(y - 20.0) - 11.0).abs();
            (away - 4.0 + 0.5) * 255.0
        });
        let mut all = contours(40, 40, &ring);
        all.sort_by(|a, b| area(a).abs().total_cmp(&area(b).abs()));
        assert_eq!(all.len(), 2);
        for (contour, radius) in all.iter().zip([7.0_f32, 15.0]) {
            assert!(contour.iter().all(|[x, y]| ((x - 20.0).hypot(y - 20.0) - radius).abs() < 0.15));
            let sparse = sparse(contour);
            assert!(sparse.len() < contour.len() / 2 && sparse.len() > 7, "{}", sparse.len());
            assert!((area(&sparse).abs() / (std::f32::consts::PI * radius * radius) - 1.0).abs() < 0.05);
        }
        // One goes round the other way: filled evenly or by winding, the hole stays a hole.
        assert!(area(&all[0]) * area(&all[1]) < 0.0);
        let text = svg(40, 40, &ring, "<a/>");
        assert!(text.starts_with("<svg") && text.contains("<metadata><a/></metadata>"));
        assert_eq!((text.matches('M').count(), text.matches('Z').count()), (2, 2));
        assert!(text.matches('Q').count() > 10 && text.matches('L').count() < 4, "{text}");
    }

    #[test]
    fn a_square_at_the_border_keeps_its_corners_and_specks_go() {
        let square =
            drawn(12, 12, |x, y| if x < 6.0 && y < 6.0 || (x - 9.5).hypot(y - 9.5) < 0.1 { 0.0 } else { 255.0 });
        let text = svg(12, 12, &square, "");
        assert_eq!(text.matches('M').count(), 1, "{text}");
        assert!(text.matches('L').count() >= 4);
        assert!(contours(3, 2, &[255; 18]).is_empty());
        assert_eq!(contours(3, 2, &[0; 18]).len(), 1);
        // Saddles are decided one way or the other, and every contour closes.
        let mut chess = drawn(8, 8, |x, y| if (x as u32 + y as u32).is_multiple_of(2) { 0.0 } else { 255.0 });
        assert!(contours(8, 8, &chess).iter().all(|contour| contour.len() > 2));
        chess.iter_mut().for_each(|byte| *byte = byte.wrapping_mul(151) ^ 77);
        drop(svg(8, 8, &chess, ""));
    }
}
