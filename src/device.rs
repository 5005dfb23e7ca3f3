//! Backends: what this build and this machine offer, and the one place where one is chosen.

use std::fmt;
use std::str::FromStr;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

/// Who computes the tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backend {
    /// Burn's CPU backend, in every build; dense networks use the fused engine instead of its tensors.
    #[default]
    Flex,
    /// Burn's older CPU backend, cargo feature `ndarray`.
    Ndarray,
    /// GPUs through Vulkan, Metal, `DirectX` 12 or WebGPU, cargo feature `wgpu`.
    Wgpu,
}

/// A backend that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// Occurs when the program was built without the backend.
    #[error("this build has no backend `{backend}`: build with `cargo build --release --features {backend}`")]
    NotCompiled {
        /// Backend asked for.
        backend: Backend,
    },
    /// Occurs when the backend finds nothing to compute on.
    #[error(
        "backend `{backend}` finds no device ({reason}): install a driver (Debian's `mesa-vulkan-drivers` \
         computes Vulkan on the CPU) or use `--backend flex`"
    )]
    NoDevice {
        /// Backend asked for.
        backend: Backend,
        /// What the backend said.
        reason: String,
    },
    /// Occurs when a name is none of the backends.
    #[error("no backend `{name}`: use `flex`, `ndarray` or `wgpu`")]
    UnknownName {
        /// Name given.
        name: String,
    },
}

/// One line of `fadecast devices`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Offer {
    /// Backend.
    pub backend: Backend,
    /// Whether this build has it.
    pub compiled: bool,
    /// Whether it can be used on this machine.
    pub usable: bool,
    /// The devices it finds, or why it cannot be used.
    pub description: String,
}

impl Backend {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Flex, Self::Ndarray, Self::Wgpu];

    /// Returns the name, which is also that of the cargo feature.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flex => "flex",
            Self::Ndarray => "ndarray",
            Self::Wgpu => "wgpu",
        }
    }

    /// Returns whether this build has it.
    pub fn is_compiled(self) -> bool {
        match self {
            Self::Flex => true,
            Self::Ndarray => cfg!(feature = "ndarray"),
            Self::Wgpu => cfg!(feature = "wgpu"),
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Backend {
    type Err = DeviceError;

    fn from_str(name: &str) -> Result<Self, DeviceError> {
        let found = Self::ALL.into_iter().find(|backend| backend.name() == name);
        found.ok_or_else(|| DeviceError::UnknownName { name: name.into() })
    }
}

/// Returns the device of `backend`, without autodiff.
///
/// # Errors
/// [`DeviceError::NotCompiled`] when this build lacks the backend, [`DeviceError::NoDevice`] when the machine does.
pub fn device(backend: Backend) -> Result<Device, DeviceError> {
    match backend {
        Backend::Flex => Ok(Device::flex()),
        Backend::Ndarray => ndarray(),
        Backend::Wgpu => wgpu().map(|(device, _)| device),
    }
}

/// Returns what each backend offers in this build on this machine.
pub fn available() -> Vec<Offer> {
    Backend::ALL.into_iter().map(offer).collect()
}

fn offer(backend: Backend) -> Offer {
    let found = match backend {
        Backend::Flex => Ok(format!("CPU, {} threads", rayon::current_num_threads())),
        Backend::Ndarray => ndarray().map(|_| "CPU (deprecated in Burn)".into()),
        Backend::Wgpu => wgpu().map(|(_, name)| name),
    };
    let usable = found.is_ok();
    let description = found.unwrap_or_else(|error| error.to_string());
    Offer { backend, compiled: backend.is_compiled(), usable, description }
}

#[cfg(feature = "ndarray")]
#[expect(deprecated, reason = "an opt-in feature, kept for comparison as long as Burn has it")]
#[expect(clippy::unnecessary_wraps, reason = "the same signature in every build")]
fn ndarray() -> Result<Device, DeviceError> {
    Ok(Device::ndarray())
}

#[cfg(not(feature = "ndarray"))]
fn ndarray() -> Result<Device, DeviceError> {
    Err(DeviceError::NotCompiled { backend: Backend::Ndarray })
}

/// Returns the default adapter with its name. Burn panics where there is none, which is turned into an error here.
#[cfg(feature = "wgpu")]
fn wgpu() -> Result<(Device, String), DeviceError> {
    use burn::tensor::{DeviceKind, DeviceType, Tensor};
    let no_device = |reason: String| DeviceError::NoDevice { backend: Backend::Wgpu, reason };
    let open = || {
        if Device::enumerate(DeviceType::Wgpu).is_empty() {
            return Err(no_device("no Vulkan, Metal or DirectX 12 adapter".into()));
        }
        let device = Device::wgpu(DeviceKind::DefaultDevice);
        let one: f32 = Tensor::<1>::ones([1], &device).into_scalar();
        let name = device.identity().map_or_else(|| "an adapter without a name".into(), |known| known.name);
        if (one - 1.0).abs() < f32::EPSILON { Ok((device, name)) } else { Err(no_device(name)) }
    };
    std::panic::catch_unwind(open).unwrap_or_else(|_| Err(no_device("its driver failed".into())))
}

#[cfg(not(feature = "wgpu"))]
fn wgpu() -> Result<(Device, String), DeviceError> {
    Err(DeviceError::NotCompiled { backend: Backend::Wgpu })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_comes_back_and_a_wrong_one_lists_the_right_ones() {
        for backend in Backend::ALL {
            assert_eq!(backend.to_string().parse(), Ok(backend));
        }
        let error = "cuda".parse::<Backend>().unwrap_err().to_string();
        assert!(error.contains("flex") && error.contains("wgpu"), "{error}");
    }

    #[test]
    fn what_is_not_compiled_says_how_to_get_it() {
        for backend in Backend::ALL.into_iter().filter(|backend| !backend.is_compiled()) {
            let error = device(backend).unwrap_err().to_string();
            assert!(error.contains(&format!("--features {backend}")), "{error}");
        }
        assert!(device(Backend::Flex).is_ok());
    }

    #[test]
    fn every_backend_has_a_line() {
        let offers = available();
        assert_eq!(offers.iter().map(|offer| offer.backend).collect::<Vec<_>>(), Backend::ALL);
        assert!(offers[0].usable && offers.iter().all(|offer| offer.compiled || !offer.usable));
    }
}
