import BelayBytes

/// The cookies that a worker opened of late, so that the requests of a kept connection, which all
/// present the same one, pay for OpenSSL once.
///
/// A place is found by a hash of the whole text under a seed of the worker's own, and only a text
/// that is the same to the last byte counts: so a forger learns nothing from the time it takes.
/// What the binding is worth now is judged anew each time.
struct OpenedCookies: ~Copyable {
    // Limit: 512 cookies of 82 characters with their bindings are about 64 KiB for each worker and
    // pool: they stay in the processor's second cache.
    private static let placeCount = 512

    private var texts: [UInt8]
    private var bindings: [Binding?]
    private let seed: UInt64

    init(seed: UInt64) {
        self.texts = Array(repeating: 0, count: Self.placeCount * BindingCookie.textCount)
        self.bindings = Array(repeating: nil, count: Self.placeCount)
        self.seed = seed
    }

    /// The place of a cookie's text; nil if it has not a cookie's length.
    func place(_ text: borrowing Span<UInt8>) -> Int? {
        guard text.count == BindingCookie.textCount else { return nil }
        return Int(truncatingIfNeeded: StableHash.of(text, seed: self.seed)) & (Self.placeCount - 1)
    }

    /// What the text held when it was opened; nil if it was not, or another took its place.
    func binding(_ text: borrowing Span<UInt8>, at place: Int) -> Binding? {
        guard let binding = self.bindings[place] else { return nil }
        let start = place &* BindingCookie.textCount
        let known = self.texts.span
        let isSame = known.isEqual(
            start..<(start &+ BindingCookie.textCount),
            to: text,
            0..<text.count
        )
        return isSame ? binding : nil
    }

    mutating func keep(_ text: borrowing Span<UInt8>, _ binding: Binding, at place: Int) {
        let start = place &* BindingCookie.textCount
        for index in 0..<text.count { self.texts[start &+ index] = text[index] }
        self.bindings[place] = binding
    }
}
