//! Networks. They know neither threads of the studio, nor channels, nor the window.

pub mod dcgan;
pub mod decoder;
pub mod features;
pub mod nam;
pub mod network;
pub mod psgan;
pub mod r3gan;
pub mod sketch;
pub mod upscale;
pub mod wavenet;
