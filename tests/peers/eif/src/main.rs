// SPDX-License-Identifier: Apache-2.0
//! Images as aws-nitro-enclaves-image-format sees, builds and signs them. Every command prints JSON.
//!
//!     eif-peer read IMAGE
//!     eif-peer build IMAGE KERNEL CMDLINE x86_64|aarch64 KEY|- CERTIFICATE|- RAMDISK...
//!     eif-peer sign IMAGE KEY CERTIFICATE
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::path::Path;

use aws_nitro_enclaves_image_format::defs::{EifBuildInfo, EifIdentityInfo, EIF_HDR_ARCH_ARM64};
use aws_nitro_enclaves_image_format::utils::eif_reader::EifReader;
use aws_nitro_enclaves_image_format::utils::{
    EifBuilder, EifSigner, PcrSignatureChecker, SignKeyData,
};
use serde_json::{json, Value};
use sha2::{Digest, Sha384};

type Outcome = Result<Value, String>;

fn read(path: &str) -> Outcome {
    let mut reader = EifReader::from_eif(path.into())?;
    let measurements: BTreeMap<String, String> = reader.get_measurements()?;
    let mut checker = PcrSignatureChecker::from_eif(path)?;
    let mut said = json!({
        "measurements": measurements,
        "crc": reader.check_crc(),
        "version": reader.get_header().version,
        "metadata": reader.get_metadata(),
    });
    if !checker.is_empty() {
        let certificate = reader.get_certificate_info(measurements.clone())?;
        said["certificate"] = serde_json::to_value(certificate).map_err(|e| e.to_string())?;
        said["over_this_pcr0"] = json!(reader.sign_check);
        said["signature"] = json!(checker.verify().err());
    }
    Ok(said)
}

fn key_data(key: &str, certificate: &str) -> Result<Option<SignKeyData>, String> {
    if key == "-" {
        return Ok(None);
    }
    SignKeyData::new(key, Path::new(certificate)).map(Some)
}

fn build(arguments: &[String]) -> Outcome {
    let flags = if arguments[3] == "aarch64" { EIF_HDR_ARCH_ARM64 } else { 0 };
    let information = EifIdentityInfo {
        img_name: "peer".into(),
        img_version: "1".into(),
        build_info: EifBuildInfo {
            build_time: "2026-01-01T00:00:00+00:00".into(),
            build_tool: "eif-peer".into(),
            build_tool_version: "0".into(),
            img_os: "Linux".into(),
            img_kernel: "6".into(),
        },
        docker_info: json!(null),
        custom_info: json!({"by": "the peer"}),
    };
    let mut builder = EifBuilder::new(
        Path::new(&arguments[1]),
        arguments[2].clone(),
        key_data(&arguments[4], &arguments[5])?,
        Sha384::new(),
        flags,
        information,
    );
    for ramdisk in &arguments[6..] {
        builder.add_ramdisk(Path::new(ramdisk));
    }
    let mut output = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(&arguments[0])
        .map_err(|e| e.to_string())?;
    Ok(json!({"measurements": builder.write_to(&mut output)}))
}

fn sign(path: &str, key: &str, certificate: &str) -> Outcome {
    let signer = EifSigner::new(key_data(key, certificate)?).ok_or("no key")?;
    signer.sign_image(path)?;
    Ok(json!({}))
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["read", path] => read(path),
        ["build", _, _, _, _, _, _, _, ..] => build(&arguments[1..]),
        ["sign", path, key, certificate] => sign(path, key, certificate),
        _ => Err("usage: eif-peer read|build|sign ...".into()),
    };
    match outcome {
        Ok(said) => println!("{said}"),
        Err(why) => {
            eprintln!("{why}");
            std::process::exit(1);
        }
    }
}
