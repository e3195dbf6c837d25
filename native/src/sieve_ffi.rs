//! The functions of the sieve, as Python calls them.

use std::ffi::{c_void, CStr};

use crate::ffi::{
    answer, arguments, bytes, integer, made, new_integer, none, Fault, PyCapsule_GetPointer,
    PyCapsule_New, PyObject,
};
use crate::sieve::Sieve;

const CAPSULE: &CStr = c"opsonin_native.sieve";

unsafe fn sieve<'a>(capsule: *mut PyObject) -> Result<&'a mut Sieve, Fault> {
    let pointer = unsafe { PyCapsule_GetPointer(capsule, CAPSULE.as_ptr()) };
    if pointer.is_null() {
        return Err(Fault::Raised);
    }
    Ok(unsafe { &mut *(pointer as *mut Sieve) })
}

unsafe extern "C" fn free(capsule: *mut PyObject) {
    let pointer = unsafe { PyCapsule_GetPointer(capsule, CAPSULE.as_ptr()) };
    if !pointer.is_null() {
        drop(unsafe { Box::from_raw(pointer as *mut Sieve) });
    }
}

pub unsafe extern "C" fn make(
    _: *mut PyObject,
    items: *const *mut PyObject,
    count: isize,
) -> *mut PyObject {
    answer(|| {
        let given = unsafe { arguments(items, count, 1) }?;
        let guard = std::str::from_utf8(unsafe { bytes(given[0]) }?)
            .map_err(|_| Fault::Value(c"not UTF-8"))?;
        let pointer = Box::into_raw(Box::new(Sieve::new(guard)));
        let capsule =
            unsafe { PyCapsule_New(pointer as *mut c_void, CAPSULE.as_ptr(), Some(free)) };
        if capsule.is_null() {
            drop(unsafe { Box::from_raw(pointer) });
        }
        made(capsule)
    })
}

pub unsafe extern "C" fn ask(
    _: *mut PyObject,
    items: *const *mut PyObject,
    count: isize,
) -> *mut PyObject {
    answer(|| {
        let given = unsafe { arguments(items, count, 2) }?;
        let sieve = unsafe { sieve(given[0]) }?;
        new_integer(sieve.ask(unsafe { bytes(given[1]) }?))
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
        let sieve = unsafe { sieve(given[0]) }?;
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
