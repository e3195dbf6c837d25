//! The Python module: a dozen functions of CPython's stable ABI, declared by hand so that the build needs no registry.
//!
//! Source: "C API Stability", Python 3.11 documentation; every symbol and structure used is in the limited API of 3.11.
//! All unsafe code of the crate stands in this file. Each entry catches panics: a fault here must be a Python
//! exception. The interpreter's lock serializes all calls.

use std::ffi::{c_char, c_int, c_long, c_void, CStr};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr;
use std::slice;

use crate::engine::Engine;

#[repr(C)]
pub struct PyObject {
    _private: [u8; 0],
}

type FastCall = unsafe extern "C" fn(*mut PyObject, *const *mut PyObject, isize) -> *mut PyObject;

#[repr(C)]
struct Method {
    name: *const c_char,
    call: Option<FastCall>,
    flags: c_int,
    doc: *const c_char,
}

#[repr(C)]
struct ModuleDef {
    reference_count: isize,
    object_type: *mut c_void,
    init: *mut c_void,
    index: isize,
    copy: *mut c_void,
    name: *const c_char,
    doc: *const c_char,
    size: isize,
    methods: *mut Method,
    slots: *mut c_void,
    traverse: *mut c_void,
    clear: *mut c_void,
    free: *mut c_void,
}

extern "C" {
    fn PyModule_Create2(definition: *mut ModuleDef, version: c_int) -> *mut PyObject;
    fn PyModule_AddIntConstant(module: *mut PyObject, name: *const c_char, value: c_long) -> c_int;
    fn PyBytes_AsStringAndSize(
        object: *mut PyObject,
        data: *mut *mut c_char,
        length: *mut isize,
    ) -> c_int;
    fn PyBytes_FromStringAndSize(data: *const c_char, length: isize) -> *mut PyObject;
    fn PyUnicode_FromStringAndSize(data: *const c_char, length: isize) -> *mut PyObject;
    fn PyLong_AsLongLong(object: *mut PyObject) -> i64;
    fn PyLong_FromLongLong(value: i64) -> *mut PyObject;
    fn PyTuple_New(length: isize) -> *mut PyObject;
    fn PyTuple_SetItem(tuple: *mut PyObject, at: isize, item: *mut PyObject) -> c_int;
    fn PyCapsule_New(
        pointer: *mut c_void,
        name: *const c_char,
        free: Option<unsafe extern "C" fn(*mut PyObject)>,
    ) -> *mut PyObject;
    fn PyCapsule_GetPointer(capsule: *mut PyObject, name: *const c_char) -> *mut c_void;
    fn PyErr_SetString(kind: *mut PyObject, text: *const c_char);
    fn PyErr_Occurred() -> *mut PyObject;
    fn Py_IncRef(object: *mut PyObject);
    fn Py_DecRef(object: *mut PyObject);
    static mut PyExc_ValueError: *mut PyObject;
    static mut PyExc_RuntimeError: *mut PyObject;
    #[allow(non_upper_case_globals)]
    static mut _Py_NoneStruct: PyObject;
}

const FAST_CALL: c_int = 0x80;
const ABI_VERSION: c_int = 3;
/// Which functions there are and what they take and mean; raised with `INTERFACE` of `contract/native.py` when that changes.
const INTERFACE: c_long = 2;
/// A Python exception is set, or is to be set.
pub(crate) enum Fault {
    Raised,
    Value(&'static CStr),
}

pub(crate) type Answer = Result<*mut PyObject, Fault>;

pub(crate) fn answer(body: impl FnOnce() -> Answer) -> *mut PyObject {
    let (kind, text) = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(object)) => return object,
        Ok(Err(Fault::Raised)) => return ptr::null_mut(),
        Ok(Err(Fault::Value(text))) => (unsafe { PyExc_ValueError }, text),
        Err(_) => (unsafe { PyExc_RuntimeError }, c"a fault in opsonin_native"),
    };
    unsafe { PyErr_SetString(kind, text.as_ptr()) };
    ptr::null_mut()
}

pub(crate) fn none() -> *mut PyObject {
    let object = ptr::addr_of_mut!(_Py_NoneStruct);
    unsafe { Py_IncRef(object) };
    object
}

/// The arguments of a call; the caller has made sure that the pointer holds `count` objects.
pub(crate) unsafe fn arguments<'a>(
    items: *const *mut PyObject,
    count: isize,
    wanted: usize,
) -> Result<&'a [*mut PyObject], Fault> {
    if count as usize != wanted {
        return Err(Fault::Value(c"wrong number of arguments"));
    }
    Ok(unsafe { slice::from_raw_parts(items, wanted) })
}

/// The content of a bytes object, valid as long as the caller's argument is.
pub(crate) unsafe fn bytes<'a>(object: *mut PyObject) -> Result<&'a [u8], Fault> {
    let mut data: *mut c_char = ptr::null_mut();
    let mut length: isize = 0;
    if unsafe { PyBytes_AsStringAndSize(object, &mut data, &mut length) } != 0 {
        return Err(Fault::Raised);
    }
    Ok(unsafe { slice::from_raw_parts(data as *const u8, length as usize) })
}

/// A number; one that is no `int` runs Python to become one, which may call this module again: numbers are read
/// before an engine is borrowed.
pub(crate) unsafe fn integer(object: *mut PyObject) -> Result<i64, Fault> {
    let value = unsafe { PyLong_AsLongLong(object) };
    if value == -1 && !unsafe { PyErr_Occurred() }.is_null() {
        return Err(Fault::Raised);
    }
    Ok(value)
}

/// What Python keeps of ours, in a capsule of this name.
pub(crate) trait Kept {
    const NAME: &'static CStr;
}

impl Kept for Engine {
    const NAME: &'static CStr = c"opsonin_native.engine";
}

/// What a capsule keeps; it is nobody else's until the call ends.
pub(crate) unsafe fn kept<'a, T: Kept>(capsule: *mut PyObject) -> Result<&'a mut T, Fault> {
    let pointer = unsafe { PyCapsule_GetPointer(capsule, T::NAME.as_ptr()) };
    if pointer.is_null() {
        return Err(Fault::Raised);
    }
    Ok(unsafe { &mut *(pointer as *mut T) })
}

unsafe extern "C" fn free<T: Kept>(capsule: *mut PyObject) {
    let pointer = unsafe { PyCapsule_GetPointer(capsule, T::NAME.as_ptr()) };
    if !pointer.is_null() {
        drop(unsafe { Box::from_raw(pointer as *mut T) });
    }
}

/// A capsule that keeps a value.
pub(crate) fn keep<T: Kept>(value: T) -> Answer {
    let pointer = Box::into_raw(Box::new(value));
    let capsule =
        unsafe { PyCapsule_New(pointer as *mut c_void, T::NAME.as_ptr(), Some(free::<T>)) };
    if capsule.is_null() {
        drop(unsafe { Box::from_raw(pointer) });
    }
    made(capsule)
}

pub(crate) fn made(object: *mut PyObject) -> Answer {
    if object.is_null() {
        Err(Fault::Raised)
    } else {
        Ok(object)
    }
}

fn new_bytes(data: &[u8]) -> Answer {
    made(unsafe { PyBytes_FromStringAndSize(data.as_ptr() as *const c_char, data.len() as isize) })
}

fn new_text(data: &[u8]) -> Answer {
    made(unsafe {
        PyUnicode_FromStringAndSize(data.as_ptr() as *const c_char, data.len() as isize)
    })
}

pub(crate) fn new_integer(value: i64) -> Answer {
    made(unsafe { PyLong_FromLongLong(value) })
}

/// A tuple that owns its items; where one is missing, the others are let go of.
fn tuple<const N: usize>(items: [Answer; N]) -> Answer {
    let whole = unsafe { PyTuple_New(N as isize) };
    let mut is_whole = !whole.is_null();
    for (at, item) in items.into_iter().enumerate() {
        match item {
            // The reference is the tuple's from here on, also where it could not be set.
            Ok(item) if is_whole => {
                is_whole = unsafe { PyTuple_SetItem(whole, at as isize, item) } == 0;
            }
            Ok(item) => unsafe { Py_DecRef(item) },
            Err(_) => is_whole = false,
        }
    }
    if is_whole {
        return Ok(whole);
    }
    if !whole.is_null() {
        unsafe { Py_DecRef(whole) };
    }
    Err(Fault::Raised)
}

unsafe extern "C" fn make(
    _: *mut PyObject,
    items: *const *mut PyObject,
    count: isize,
) -> *mut PyObject {
    answer(|| {
        let given = unsafe { arguments(items, count, 2) }?;
        let (spec, name) = unsafe { (bytes(given[0])?, bytes(given[1])?) };
        let engine = Engine::new(spec, name).ok_or(Fault::Value(c"malformed table of holes"))?;
        keep(engine)
    })
}

unsafe extern "C" fn take(
    _: *mut PyObject,
    items: *const *mut PyObject,
    count: isize,
) -> *mut PyObject {
    answer(|| {
        let given = unsafe { arguments(items, count, 3) }?;
        let (raw, received_us) = unsafe { (bytes(given[1])?, integer(given[2])?) };
        let engine = unsafe { kept::<Engine>(given[0]) }?;
        match engine.take(raw, received_us) {
            None => Ok(none()),
            Some(time_us) => tuple([
                new_text(&engine.id),
                new_integer(time_us),
                new_bytes(&engine.json),
            ]),
        }
    })
}

unsafe extern "C" fn scan(
    _: *mut PyObject,
    items: *const *mut PyObject,
    count: isize,
) -> *mut PyObject {
    answer(|| {
        let given = unsafe { arguments(items, count, 2) }?;
        let engine = unsafe { kept::<Engine>(given[0]) }?;
        let raw = unsafe { bytes(given[1]) }?;
        let Some(scan) = engine.scan(raw) else {
            return Ok(none());
        };
        let mut holes = Vec::new();
        for hole in &scan.holes {
            holes.push(hole.kind);
            holes.extend_from_slice(&(hole.start as u32).to_le_bytes());
            holes.extend_from_slice(&(hole.end as u32).to_le_bytes());
            holes.extend_from_slice(&hole.value.to_le_bytes());
        }
        tuple([new_bytes(&scan.skeleton), new_bytes(&holes)])
    })
}

unsafe extern "C" fn learn(
    _: *mut PyObject,
    items: *const *mut PyObject,
    count: isize,
) -> *mut PyObject {
    answer(|| {
        let given = unsafe { arguments(items, count, 3) }?;
        let engine = unsafe { kept::<Engine>(given[0]) }?;
        let (raw, plan) = unsafe { (bytes(given[1])?, bytes(given[2])?) };
        if engine.learn(raw, plan) {
            Ok(none())
        } else {
            Err(Fault::Value(c"malformed template"))
        }
    })
}

unsafe extern "C" fn wants(
    _: *mut PyObject,
    items: *const *mut PyObject,
    count: isize,
) -> *mut PyObject {
    answer(|| {
        let given = unsafe { arguments(items, count, 1) }?;
        new_integer(i64::from(unsafe { kept::<Engine>(given[0]) }?.wants()))
    })
}

unsafe extern "C" fn missing(
    _: *mut PyObject,
    items: *const *mut PyObject,
    count: isize,
) -> *mut PyObject {
    answer(|| {
        let given = unsafe { arguments(items, count, 1) }?;
        new_bytes(&unsafe { kept::<Engine>(given[0]) }?.missing)
    })
}

unsafe extern "C" fn inform(
    _: *mut PyObject,
    items: *const *mut PyObject,
    count: isize,
) -> *mut PyObject {
    answer(|| {
        let given = unsafe { arguments(items, count, 4) }?;
        let (name, json) = unsafe { (bytes(given[1])?, bytes(given[3])?) };
        let is_own = unsafe { integer(given[2]) }? != 0;
        let engine = unsafe { kept::<Engine>(given[0]) }?;
        if name.is_empty() {
            engine.site.forget();
        } else {
            engine.site.inform(name, is_own, json);
        }
        Ok(none())
    })
}

const fn method(name: &'static CStr, call: FastCall, doc: &'static CStr) -> Method {
    Method {
        name: name.as_ptr(),
        call: Some(call),
        flags: FAST_CALL,
        doc: doc.as_ptr(),
    }
}

static mut METHODS: [Method; 11] = [
    method(c"make", make, c"make(spec: bytes, name: bytes) -> engine"),
    method(
        c"take",
        take,
        c"take(engine, raw: bytes, received_us: int) -> (id, time_us, json) | None",
    ),
    method(
        c"scan",
        scan,
        c"scan(engine, raw: bytes) -> (skeleton, holes) | None",
    ),
    method(
        c"learn",
        learn,
        c"learn(engine, raw: bytes, plan: bytes); an empty plan: not to be served for a while, `!`: never",
    ),
    method(
        c"wants",
        wants,
        c"wants(engine) -> whether the line last refused is seen often enough to be learnt",
    ),
    method(
        c"missing",
        missing,
        c"missing(engine) -> what the line last refused needs to be known of the site, each ended by NUL",
    ),
    method(
        c"inform",
        inform,
        c"inform(engine, name: bytes, is_own: int, json: bytes); an empty name: forget all",
    ),
    method(
        c"sieve",
        crate::sieve_ffi::make,
        c"sieve(guard: bytes, shapes: bytes) -> sieve; the characters that fold to letters of ASCII, in UTF-8; what decides a class",
    ),
    method(
        c"ask",
        crate::sieve_ffi::ask,
        c"ask(sieve, line: bytes, time_us: int) -> 0: no rule holds, 1: look, 2: look and sample, 3: tell its class, 4: not served",
    ),
    method(
        c"tell",
        crate::sieve_ffi::tell,
        c"tell(sieve, what: int, number: int, other: int, data: bytes); see correlate/sigma/sieve.py",
    ),
    Method {
        name: ptr::null(),
        call: None,
        flags: 0,
        doc: ptr::null(),
    },
];

static mut MODULE: ModuleDef = ModuleDef {
    reference_count: 1,
    object_type: ptr::null_mut(),
    init: ptr::null_mut(),
    index: 0,
    copy: ptr::null_mut(),
    name: c"opsonin_native".as_ptr(),
    doc: c"Fills learnt templates of log lines; tells lines that no rule holds for.".as_ptr(),
    size: -1,
    methods: ptr::addr_of_mut!(METHODS) as *mut Method,
    slots: ptr::null_mut(),
    traverse: ptr::null_mut(),
    clear: ptr::null_mut(),
    free: ptr::null_mut(),
};

/// What Python calls to load the module.
///
/// # Safety
/// Called by the interpreter, once, with its lock held.
#[no_mangle]
pub unsafe extern "C" fn PyInit_opsonin_native() -> *mut PyObject {
    unsafe {
        let module = PyModule_Create2(ptr::addr_of_mut!(MODULE), ABI_VERSION);
        let name = c"INTERFACE".as_ptr();
        if module.is_null() || PyModule_AddIntConstant(module, name, INTERFACE) == 0 {
            return module;
        }
        Py_DecRef(module);
        ptr::null_mut()
    }
}
