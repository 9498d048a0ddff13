//! The little that a program needs to begin, to allocate and to be heard on a bare board. Nothing is printed where
//! no debugger or emulator listens.

#![no_std]

pub mod heap;
pub mod host;
pub mod start;
