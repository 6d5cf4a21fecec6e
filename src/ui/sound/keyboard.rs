//! The piano keyboard: struck with the pointer, and with two rows of the computer's keys.

use egui::{
    Align2, Event, Key as KeyName, Rect, Sense, Stroke, StrokeKind, Ui, WidgetInfo, accesskit::Role, pos2, vec2,
};

use crate::{
    engine::{SoundActivity, SoundInput},
    generate::audio::{Note, key_name},
    ui::{
        Key,
        state::{Action, State},
        theme, widgets,
    },
};

/// The narrowest a white key may be.
const NARROWEST: f32 = 17.0;
/// The computer's keys, from C up, as tracker programs have them.
const TYPED: [KeyName; 13] = [
    KeyName::A,
    KeyName::W,
    KeyName::S,
    KeyName::E,
    KeyName::D,
    KeyName::F,
    KeyName::T,
    KeyName::G,
    KeyName::Y,
    KeyName::H,
    KeyName::U,
    KeyName::J,
    KeyName::K,
];

/// Whether a key is a black one.
fn is_black(key: u8) -> bool {
    matches!(key % 12, 1 | 3 | 6 | 8 | 10)
}

/// The keys of the model, or as many octaves of them as there is room for.
pub(super) fn keyboard_ui(ui: &mut Ui, state: &mut State) {
    let (rect, response) = ui.allocate_exact_size(ui.available_size(), Sense::click_and_drag());
    let name = state.t(Key::KeyboardName);
    response.widget_info(|| WidgetInfo::labeled(Role::Group, true, name));
    typed_keys(ui, state);
    let range = shown(state, rect.width());
    let places = places(range, rect);
    let under = |at: egui::Pos2| {
        let hit = |black: bool| places.iter().find(|(key, place)| is_black(*key) == black && place.contains(at));
        hit(true).or_else(|| hit(false)).map(|(key, _)| *key)
    };
    let pressed = ui.input(|input| input.pointer.primary_down());
    let key = response.interact_pointer_pos().filter(|_| pressed).and_then(under);
    if key != state.sound.pointer_key {
        if let Some(before) = state.sound.pointer_key {
            state.ask(Action::Sound(SoundInput::Release { key: before }));
        }
        if let Some(key) = key {
            strike(state, key);
        }
        state.sound.pointer_key = key;
    }
    paint(ui, state, &places, response.hover_pos().and_then(under));
    widgets::focus_ring(ui, &response, theme::RADIUS);
    response.on_hover_text(state.t(Key::KeyboardTip));
}

fn strike(state: &mut State, key: u8) {
    let sound = &state.preferences.sound;
    let drawing = state.preferences.drawing();
    state.ask(Action::Sound(SoundInput::Strike {
        key,
        velocity: sound.velocity,
        instrument: sound.instrument,
        drawing,
    }));
}

/// Strikes and releases by the computer's keys, while nothing is being typed.
fn typed_keys(ui: &Ui, state: &mut State) {
    let typing = ui.ctx().memory(|memory| memory.focused()).is_some() || state.sheet_open;
    let base = state.preferences.sound.lowest_typed;
    let (mut struck, mut released, mut octave) = (Vec::new(), Vec::new(), 0_i8);
    ui.input(|input| {
        for event in &input.events {
            let Event::Key { key, pressed, repeat, modifiers, .. } = event else { continue };
            let place = TYPED.iter().position(|typed| typed == key).map(|place| base + place as u8);
            match (place, pressed) {
                (Some(key), true) if !typing && !repeat && !modifiers.any() => struck.push(key),
                (Some(key), false) => released.push(key),
                _ => {}
            }
            if *pressed && !typing && !repeat && !modifiers.any() {
                octave += i8::from(*key == KeyName::X) - i8::from(*key == KeyName::Z);
            }
        }
    });
    // Held keys end when the keyboard goes elsewhere.
    if typing || !ui.input(|input| input.focused) {
        released.extend(&state.sound.typed_keys);
    }
    let range =
        state.sound.model.as_ref().map_or(36..=84, |model| model.lowest_key..=model.lowest_key + model.keys - 1);
    for key in struck {
        if range.contains(&key) && state.sound.typed_keys.insert(key) {
            strike(state, key);
        }
    }
    for key in released {
        if state.sound.typed_keys.remove(&key) {
            state.ask(Action::Sound(SoundInput::Release { key }));
        }
    }
    if octave != 0 {
        let held: Vec<u8> = std::mem::take(&mut state.sound.typed_keys).into_iter().collect();
        held.into_iter().for_each(|key| state.ask(Action::Sound(SoundInput::Release { key })));
        let moved = i16::from(base) + 12 * i16::from(octave);
        state.preferences.sound.lowest_typed =
            moved.clamp(i16::from(*range.start()), i16::from(range.end().saturating_sub(12))) as u8 / 12 * 12;
    }
}

/// The first and the last key shown: whole octaves, the typed ones among them.
fn shown(state: &State, width: f32) -> (u8, u8) {
    let (low, high) =
        state.sound.model.as_ref().map_or((36, 84), |model| (model.lowest_key, model.lowest_key + model.keys - 1));
    let octaves = (((width / NARROWEST) as u8).max(8) / 7).min((high - low).div_ceil(12));
    let whole = octaves * 12;
    if low + whole >= high {
        return (low, high);
    }
    let middle = state.preferences.sound.lowest_typed.saturating_sub(whole / 2 / 12 * 12);
    let first = middle.clamp(low, high - whole);
    (first, first + whole)
}

/// The keys and their places, black ones over white ones.
fn places((first, last): (u8, u8), rect: Rect) -> Vec<(u8, Rect)> {
    let whites = (first..=last).filter(|key| !is_black(*key)).count().max(1);
    let width = rect.width() / whites as f32;
    let (mut places, mut at) = (Vec::new(), rect.left());
    for key in first..=last {
        if is_black(key) {
            let half = width * 0.31;
            let min = pos2((at - half).max(rect.left()), rect.top());
            places.push((
                key,
                Rect::from_min_max(min, pos2((at + half).min(rect.right()), rect.top() + rect.height() * 0.6)),
            ));
        } else {
            places.push((key, Rect::from_min_size(pos2(at, rect.top()), vec2(width - 1.5, rect.height()))));
            at += width;
        }
    }
    places
}

fn paint(ui: &Ui, state: &State, places: &[(u8, Rect)], hovered: Option<u8>) {
    let palette = theme::palette(ui);
    let (white, black) = theme::piano_keys(ui);
    let sounding = sounding(state);
    let base = state.preferences.sound.lowest_typed;
    for wanted in [false, true] {
        for (key, place) in places.iter().filter(|(key, _)| is_black(*key) == wanted) {
            let plain = if wanted { black } else { white };
            let fill = if sounding.contains(key) {
                palette.accent
            } else if hovered == Some(*key) {
                plain.lerp_to_gamma(palette.accent, 0.25)
            } else {
                plain
            };
            let radius = egui::CornerRadius { nw: 0, ne: 0, sw: 4, se: 4 };
            ui.painter().rect(*place, radius, fill, Stroke::new(1.0, palette.hairline), StrokeKind::Inside);
            if !wanted && key % 12 == 0 && place.width() > 16.0 {
                let at = pos2(place.center().x, place.bottom() - 10.0);
                let (font, color) =
                    (theme::tiny(), if sounding.contains(key) { palette.on_accent } else { theme::on_white_key() });
                widgets::line(ui.painter(), at, Align2::CENTER_CENTER, &key_name(*key), font, color, place.width());
            }
            // The computer's keys that play it.
            let typed = key.checked_sub(base).and_then(|place| TYPED.get(usize::from(place)));
            if let Some(typed) = typed.filter(|_| place.width() > 12.0) {
                let at = pos2(place.center().x, if wanted { place.bottom() - 9.0 } else { place.bottom() - 26.0 });
                let color = if wanted { palette_on_black(ui) } else { theme::on_white_key() };
                widgets::line(
                    ui.painter(),
                    at,
                    Align2::CENTER_CENTER,
                    typed.name(),
                    theme::tiny(),
                    color,
                    place.width(),
                );
            }
        }
    }
}

fn palette_on_black(ui: &Ui) -> egui::Color32 {
    theme::piano_keys(ui).0.gamma_multiply(0.75)
}

/// The keys that sound where the take is heard now, and those that are held.
fn sounding(state: &State) -> Vec<u8> {
    let view = &state.sound;
    let mut keys: Vec<u8> =
        view.typed_keys.iter().copied().chain(view.pointer_key).chain(view.played.iter().copied()).collect();
    if matches!(view.activity, SoundActivity::Making | SoundActivity::Playing) {
        let at = view.position as u64;
        let notes = view.shown.notes.iter();
        let sounds = |note: &&Note| note.start <= at && at < note.start.saturating_add(note.length);
        keys.extend(notes.filter(sounds).map(|note| note.key));
    }
    keys
}
