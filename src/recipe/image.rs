//! The recipe of a picture, kept inside its PNG.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{FORMAT, ModelRef, Recipe, Work};
use crate::{
    Result,
    formats::{
        self,
        hash::sha256_of_bytes,
        png::{self, PngFile, Share},
    },
    generate::image::{ImageRequest, Picture},
};

/// A picture: the model that made it, what it was asked, and what enlarged it afterwards.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageRecipe {
    /// The model that ran.
    pub model: ModelRef,
    /// What it was asked, exactly.
    pub request: ImageRequest,
    /// Width in pixels, enlarged if it was.
    pub width: u32,
    /// Height in pixels, enlarged if it was.
    pub height: u32,
    /// What enlarged it, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upscaled: Option<Enlarged>,
}

/// How a picture was enlarged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enlarged {
    /// The upscaler that ran.
    pub model: ModelRef,
    /// How many times as wide and as high.
    pub scale: u32,
    /// Width and height of the tiles in pixels of the small picture, if other than the studio's own: the last bits of a
    /// picture may depend on them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tile: Option<u32>,
}

impl ImageRecipe {
    /// What makes no sense in it, if anything.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let pixels = u64::from(self.width) * u64::from(self.height);
        if pixels == 0 || pixels > png::MOST_PIXELS {
            return Err("its picture has no size");
        }
        self.request.check().map_err(|_| "its request makes no sense")?;
        if self.upscaled.as_ref().is_some_and(|upscaled| !(1..=16).contains(&upscaled.scale)) {
            return Err("it was enlarged by a senseless factor");
        }
        Ok(())
    }
}

/// What a PNG holds for the studio.
#[derive(Clone, Debug, PartialEq)]
pub struct Contents {
    /// The file itself, with its texts.
    pub file: PngFile,
    /// The studio's own recipe, or why it cannot be used; `None` when there is none.
    pub recipe: Option<Result<Recipe>>,
}

/// Reads a PNG and the recipe inside.
///
/// # Errors
/// When it is no whole PNG. A damaged recipe is told in the result, for the picture is still good.
pub fn contents(bytes: &[u8], path: &Path) -> Result<Contents> {
    let file = png::read(bytes)?;
    let recipe = file.text(png::RECIPE).map(|text| Recipe::parse(text, path));
    Ok(Contents { file, recipe })
}

impl Recipe {
    /// The recipe of `picture`, which `work` made.
    pub fn of_image(picture: &Picture, work: ImageRecipe) -> Self {
        Self {
            format: FORMAT,
            atelier: env!("CARGO_PKG_VERSION").to_owned(),
            sha256: sha256_of_bytes(&picture.rgb),
            work: Work::Image(work),
        }
    }

    /// The PNG of `picture` with this recipe and the label of generated pictures inside.
    ///
    /// # Errors
    /// When the picture is empty or the recipe cannot be written.
    pub fn to_png(&self, picture: &Picture) -> Result<Vec<u8>> {
        let recipe = String::from_utf8(self.to_json()?).unwrap_or_default();
        let label = png::label(Share::Whole, &self.sha256);
        png::encode(picture.width, picture.height, &picture.rgb, &[(png::RECIPE, &recipe), (png::XMP, &label)])
    }
}

impl Recipe {
    /// The file of `picture` with this ending: a PNG with this recipe inside, or another form, labelled, without.
    ///
    /// # Errors
    /// When the picture is empty, or too large for the form.
    pub fn to_picture(&self, picture: &Picture, ending: &str) -> Result<Vec<u8>> {
        let label = png::label(Share::Whole, &self.sha256);
        match formats::picture::encode(ending, (picture.width, picture.height), &picture.rgb, &label)? {
            Some(bytes) => Ok(bytes),
            None => self.to_png(picture),
        }
    }
}

/// The PNG of a picture that a person gave and a model worked over: labelled so, without a recipe.
///
/// # Errors
/// When the picture is empty.
pub fn plain_png(picture: &Picture) -> Result<Vec<u8>> {
    let label = png::label(Share::Part, &sha256_of_bytes(&picture.rgb));
    png::encode(picture.width, picture.height, &picture.rgb, &[(png::XMP, &label)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::image::{Direction, SeedWeight, Style};

    #[test]
    fn a_recipe_travels_inside_its_picture() {
        let picture = Picture { width: 2, height: 1, rgb: vec![1, 2, 3, 4, 5, 6] };
        let model = ModelRef { name: "glyphs".to_owned(), sha256: "00".to_owned() };
        let request = ImageRequest {
            seeds: vec![SeedWeight { seed: u64::MAX, weight: 0.1 }, SeedWeight { seed: 3, weight: -2.5 }],
            class: Some(2),
            truncation: 0.7,
            directions: vec![Direction { index: 1, amount: -0.3 }],
            size: None,
            style: Some(Style { of: Box::new(ImageRequest::of_seed(8)), layers: vec![3, 4], amount: 0.75 }),
        };
        let upscaled = Some(Enlarged { model: model.clone(), scale: 2, tile: None });
        let work = ImageRecipe { model, request, width: 2, height: 1, upscaled };
        let recipe = Recipe::of_image(&picture, work);
        let bytes = recipe.to_png(&picture).expect("PNG");
        let read = contents(&bytes, Path::new("a.png")).expect("read");
        assert_eq!(read.file.rgb, picture.rgb);
        assert_eq!(read.recipe, Some(Ok(recipe.clone())));
        assert_eq!(sha256_of_bytes(&read.file.rgb), recipe.sha256);
        assert_eq!(contents(&plain_png(&picture).expect("PNG"), Path::new("b.png")).expect("read").recipe, None);
    }

    #[test]
    fn a_damaged_recipe_leaves_the_picture() {
        let good = r#"{"format":1,"atelier":"0","sha256":"","kind":"image","model":{"name":"a","sha256":""},
            "request":{"seeds":[{"seed":1,"weight":1.0}]},"width":1,"height":1}"#;
        let read = |recipe: &str| {
            let bytes = png::encode(1, 1, &[0; 3], &[(png::RECIPE, recipe)]).expect("PNG");
            contents(&bytes, Path::new("a.png")).expect("the picture").recipe.expect("a recipe")
        };
        assert!(read(good).is_ok());
        for (from, to) in [
            ("\"width\":1", "\"width\":0"),
            ("\"weight\":1.0", "\"weight\":0.0"),
            ("[{\"seed\":1,\"weight\":1.0}]", "[]"),
            ("image", "smell"),
            ("}]", ""),
        ] {
            let why = read(&good.replacen(from, to, 1)).expect_err(to).to_string();
            assert!(why.contains("damaged"), "{why}");
        }
    }
}
