import FuzzSupport

/// What libFuzzer calls for each input, from one thread.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzz(_ start: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    // Safe: libFuzzer lends `size` readable bytes until this function returns.
    let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: size))
    if let input = FuzzInput(bytes) { JWTFuzzer.check(input) }
    return 0
}
