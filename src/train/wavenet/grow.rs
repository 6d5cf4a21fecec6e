//! Weights of a network for a larger one that does the same.

use candle_core::{Device, Tensor};

use crate::nets::wavenet::Harmonics;

/// A weight of a network for one whose condition is larger: what is new gives nothing to what was there (as Net2Net widens
/// networks: Chen, Goodfellow and Shlens 2016), and begins as `fresh` has it where it only takes. None when another part of
/// the network is larger, or anything is smaller.
pub(super) fn grown(name: &str, weight: &Tensor, fresh: &Tensor, had: &Harmonics, has: &Harmonics) -> Option<Tensor> {
    let of_layer = name.starts_with("layers.") && name.ends_with(".condition.weight");
    if weight.dims() == fresh.dims() && !(of_layer && had != has) {
        return Some(weight.clone());
    }
    // (rows, columns) of each.
    let matrix = |tensor: &Tensor| match *tensor.dims() {
        [rows, columns] => Some((rows, columns)),
        [rows] => Some((rows, 1)),
        _ => None,
    };
    let ((old_rows, old_columns), (rows, columns)) = (matrix(weight)?, matrix(fresh)?);
    if old_rows > rows || old_columns > columns || (of_layer && old_rows != rows) {
        return None;
    }
    // Where each of the old columns goes.
    let places: Vec<usize> = match name {
        "condition.0.weight" if columns != old_columns => return None,
        "condition.0.weight" | "condition.0.bias" | "condition.2.weight" | "condition.2.bias" => {
            (0..old_columns).collect()
        }
        _ if of_layer => {
            let slow = columns.checked_sub(2 * has.count())?;
            let old_slow = old_columns.checked_sub(2 * had.count())?;
            let now: Vec<u16> = has.numbers().collect();
            let fast = had.numbers().map(|number| now.iter().position(|other| *other == number));
            let fast = fast.collect::<Option<Vec<usize>>>()?;
            let fast = fast.into_iter().flat_map(|place| [slow + 2 * place, slow + 2 * place + 1]);
            (old_slow <= slow).then(|| (0..old_slow).chain(fast).collect())?
        }
        _ => return None,
    };
    let numbers = |tensor: &Tensor| tensor.flatten_all().and_then(|flat| flat.to_vec1::<f32>()).ok();
    let (old, mut new) = (numbers(weight)?, numbers(fresh)?);
    for (row, old) in new.chunks_mut(columns.max(1)).zip(old.chunks(old_columns.max(1))) {
        row.fill(0.0);
        places.iter().zip(old).for_each(|(place, value)| row[*place] = *value);
    }
    Tensor::from_vec(new, fresh.dims(), &Device::Cpu).ok()
}
