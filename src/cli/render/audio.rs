//! A sound made again, sample for sample.

use std::{path::Path, sync::atomic::AtomicBool};

use super::super::{Output, Result};
use crate::{
    Error,
    audio::Clip,
    catalogue, files,
    formats::{
        audio::{Container, Sound},
        wav::{self, Depth},
    },
    generate::audio::{AudioModel, Step},
    recipe::{AudioRecipe, Recipe, RecordingRecipe, SoundRecipe, sha256_of_samples},
};

pub(super) fn run(
    file: &Path,
    to: &Path,
    (recipe, work): (&Recipe, SoundRecipe),
    saved: &Sound,
    out: &mut Output<'_>,
) -> Result {
    let kind = Container::of(to)?;
    let (rate, steps) = (work.sample_rate_hz(), work.steps().to_vec());
    let samples = match &work {
        SoundRecipe::Made(work) => play(work)?,
        SoundRecipe::Recorded(work) => source(file, work, saved)?,
    };
    let whole = Clip { samples: samples.into(), sample_rate_hz: rate };
    let samples =
        Step::apply_all(&steps, whole, &mut |_| true)?.map(|clip| clip.samples.into_vec()).unwrap_or_default();
    if sha256_of_samples(&samples) != recipe.sha256 {
        let (name, version) = (file.display(), &recipe.atelier);
        return Err(Error::new(
            format!("The sound made from the recipe of “{name}” is not the one that was saved: the recipe was changed, or version {version} made it otherwise; nothing was saved."),
            format!("按“{name}”的配方生成的声音与原声不同：配方被改动，或版本 {version} 的生成方式不同；未保存任何内容。"),
        )
        .into());
    }
    let depth = match saved.bits {
        16 => Depth::Int16,
        32 => Depth::Float32,
        _ => Depth::Int24,
    };
    files::write_whole(to, &recipe.to_sound(kind, &samples, rate, depth)?)?;
    if saved.samples != wav::as_stored(&samples, depth) {
        let name = file.display();
        let note = Error::new(
            format!("“{name}” was changed after its recipe was written; the new file is what it was before."),
            format!("“{name}”在写入配方之后被改动过，新文件是改动之前的内容。"),
        );
        out.note(note.text(out.lang()));
    }
    Ok(())
}

/// The samples of a recipe, by the very model it names.
fn play(work: &AudioRecipe) -> crate::Result<Vec<f32>> {
    let found = catalogue::usable(&work.model.name)?;
    let model = AudioModel::open(&found.name, &found.path)?;
    if model.sha256()? != work.model.sha256 {
        let (path, wanted) = (found.path.display(), &work.model.sha256);
        return Err(Error::new(
            format!("The model “{path}” is not the one that made this sound; put back the file with SHA-256 {wanted}."),
            format!("模型“{path}”不是生成此声音的模型，请换回 SHA-256 为 {wanted} 的文件。"),
        ));
    }
    Ok(model.play(&work.request, &AtomicBool::new(false))?.unwrap_or_default())
}

/// The samples that a recording's recipe begins with: of the file itself when nothing was done to it, otherwise of the
/// one beside it that the recipe names.
fn source(file: &Path, work: &RecordingRecipe, saved: &Sound) -> crate::Result<Vec<f32>> {
    let is_it = |samples: &[f32]| sha256_of_samples(samples) == work.source.sha256;
    if work.steps.is_empty() && saved.channels == 1 && is_it(&saved.samples) {
        return Ok(saved.samples.clone());
    }
    let beside = file.with_file_name(&work.source.file);
    let found = files::read_bytes(&beside, super::MOST_BYTES).and_then(|bytes| wav::read(&bytes));
    let samples = found.map(|found| if found.channels == 1 { found.samples } else { found.mono() });
    samples.ok().filter(|samples| is_it(samples)).ok_or_else(|| {
        let (path, sha256) = (beside.display(), &work.source.sha256);
        Error::new(
            format!("“{path}” is not there, or not the recording that this sound was made from; put the one back whose samples have SHA-256 {sha256}."),
            format!("“{path}”不存在，或不是制作此声音所用的录音；请放回采样 SHA-256 为 {sha256} 的文件。"),
        )
    })
}
