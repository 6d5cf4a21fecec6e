//! Takes of the same notes, one after the other.

use atelier::engine::{SoundActivity, SoundInput, SoundPort};
use egui::accesskit::Role;
use egui_kittest::kittest::Queryable as _;

use super::{
    EN_DARK,
    fake::Fake,
    press, settle,
    sound::{kept, next, open, take},
    tab, window,
};

#[test]
fn variations_are_made_one_after_the_other_until_they_are_stopped() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let fake = Fake::default();
    let (port, inputs) = SoundPort::scripted();
    fake.script(|script| script.sound = Some(port.clone()));
    let mut harness = window(&EN_DARK, &fake, folder.path());
    tab(&harness, "Sound");
    settle(&mut harness);
    open(&port);
    settle(&mut harness);
    harness.get_by_role_and_label(Role::Slider, "Variations").focus();
    settle(&mut harness);
    for _ in 0..2 {
        harness.key_press(egui::Key::ArrowRight);
        settle(&mut harness);
    }
    assert_eq!(harness.state().state().preferences.sound.variations, 3);
    inputs.try_iter().for_each(drop);
    press(&mut harness, "Generate");
    let made = |number: u64| {
        let Ok(SoundInput::Make(request)) = next(&inputs) else { panic!("number {number} was not to be made") };
        let seed = request.seed;
        port.look(|state| {
            (state.take, state.sample_rate_hz, state.activity) = (number, 16_000, SoundActivity::Making);
            (state.request, state.samples) = (Some(*request), take().into());
        });
        seed
    };
    let first = made(1);
    settle(&mut harness);
    harness.get_by_label_contains("1 of 3");
    port.look(|state| state.activity = SoundActivity::Idle);
    settle(&mut harness);
    assert_eq!(made(2), first + 1);
    settle(&mut harness);
    harness.get_by_label_contains("2 of 3");
    assert_eq!(kept(&fake).len(), 1);
    // The second is stopped: the third is not made any more.
    harness.key_press(egui::Key::Escape);
    settle(&mut harness);
    assert_eq!(next(&inputs).expect("it is stopped"), SoundInput::Stop);
    port.look(|state| state.activity = SoundActivity::Idle);
    settle(&mut harness);
    assert_eq!(kept(&fake).len(), 2);
    assert!(!inputs.try_iter().any(|input| matches!(input, SoundInput::Make(_))));

    // Somebody who plays a key wants to hear that.
    press(&mut harness, "Generate");
    made(3);
    settle(&mut harness);
    play_from_elsewhere(&port);
    settle(&mut harness);
    port.look(|state| state.activity = SoundActivity::Idle);
    settle(&mut harness);
    assert!(!inputs.try_iter().any(|input| matches!(input, SoundInput::Make(_))));
}

/// A controller is played, of which the window hears when it has happened.
fn play_from_elsewhere(port: &SoundPort) {
    port.look(|state| {
        (state.take, state.activity, state.samples) = (state.take + 1, SoundActivity::Live, take().into());
        if let Some(request) = &mut state.request {
            request.notes.truncate(1);
        }
    });
}
