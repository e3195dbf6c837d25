//! The functions of the sieve, as Python calls them.

use std::ffi::CStr;

use crate::ffi::{
    answer, arguments, bytes, integer, keep, kept, new_integer, none, Fault, Kept, PyObject,
};
use crate::sieve::Sieve;

impl Kept for Sieve {
    const NAME: &'static CStr = c"opsonin_native.sieve";
}

pub unsafe extern "C" fn make(
    _: *mut PyObject,
    items: *const *mut PyObject,
    count: isize,
) -> *mut PyObject {
    answer(|| {
        let given = unsafe { arguments(items, count, 2) }?;
        let guard = std::str::from_utf8(unsafe { bytes(given[0]) }?)
            .map_err(|_| Fault::Value(c"not UTF-8"))?;
        let shapes = unsafe { bytes(given[1]) }?;
        let sieve = Sieve::new(guard, shapes).ok_or(Fault::Value(c"malformed shapes"))?;
        keep(sieve)
    })
}

pub unsafe extern "C" fn ask(
    _: *mut PyObject,
    items: *const *mut PyObject,
    count: isize,
) -> *mut PyObject {
    answer(|| {
        let given = unsafe { arguments(items, count, 3) }?;
        let time_us = unsafe { integer(given[2]) }?;
        let sieve = unsafe { kept::<Sieve>(given[0]) }?;
        new_integer(sieve.ask(unsafe { bytes(given[1]) }?, time_us))
    })
}

pub unsafe extern "C" fn tell(
    _: *mut PyObject,
    items: *const *mut PyObject,
    count: isize,
) -> *mut PyObject {
    answer(|| {
        let given = unsafe { arguments(items, count, 5) }?;
        let (what, number, other) =
            unsafe { (integer(given[1])?, integer(given[2])?, integer(given[3])?) };
        let data = unsafe { bytes(given[4]) }?;
        let sieve = unsafe { kept::<Sieve>(given[0]) }?;
        let bad = || Fault::Value(c"malformed message to the sieve");
        let number = u16::try_from(number).map_err(|_| bad())?;
        let other = u32::try_from(other).map_err(|_| bad())?;
        match what {
            0 => sieve.forget_values(),
            1 => sieve.forget(),
            2 if sieve.define(usize::from(number), data) => (),
            3 => sieve.drop_class(usize::from(number)),
            4 => sieve.route(data, u32::from(number)),
            5 => sieve.sample(usize::from(number), other),
            6 => sieve.clean(usize::from(number), other as usize, data),
            _ => return Err(bad()),
        }
        Ok(none())
    })
}
