import BelayBytes
import BelayCore
import BelayCrypto
import BelayPersistence
import FuzzSupport

/// What must hold of every token: only a signed one is believed where signatures are checked, and
/// no text inside of it can pass for a claim.
enum JWTFuzzer {
    private static let now = UnixTime(seconds: 1_790_071_200)
    private static let secret = SecretBytes(copying: Array("a secret".utf8).span)
    private static let trusting = way(nil)
    private static let checking = way(JWTKey(.hs256, secret: secret))

    private static func way(_ key: JWTKey?) -> JWTClaimBinding {
        do {
            let ring = try KeyRing(keys: [
                SecretBytes(copying: [UInt8](repeating: 1, count: 32).span)
            ])
            guard let pool = PoolName("shop") else { fatalError("a name") }
            let hasher = try KeyHasher(ring: ring, pool: pool, kind: .jwtClaim, name: "sub")
            return JWTClaimBinding(claim: "sub", header: "a", hasher: hasher, key: key)
        } catch {
            fatalError("no way: \(error)")
        }
    }

    static func check(_ input: FuzzInput) {
        let bytes = input.bytes
        guard bytes.count < 2_048 else { return }
        // As a token, whole.
        require(Self.claim(bytes, Self.checking) == nil, "nobody signs by chance")
        if Self.claim(bytes, Self.trusting) != nil {
            require(bytes.count { $0 == 0x2E } == 2, "a token has three parts")
        }
        // As a payload, signed.
        let signed = Self.signed(bytes)
        let claim = Self.claim(signed, Self.trusting)
        if isCanary { require(claim == nil, "the canary: no payload has a claim") }
        if let checked = Self.claim(signed, Self.checking) {
            require(checked == claim, "the claim is the same, checked or not")
        } else if claim != nil {
            let names = [Array("exp".utf8), Array("nbf".utf8)]
            require(names.contains { Self.holds(bytes, $0) }, "what is signed is believed")
        }
        var changed = signed
        changed[input.cut % changed.count] ^= 1
        require(Self.claim(changed, Self.checking) == nil, "what was changed is not")
        // As the text of another member, and of the claim.
        guard bytes.allSatisfy({ $0 >= 0x20 }) else { return }
        let escaped = bytes.flatMap { $0 == 0x22 || $0 == 0x5C ? [0x5C, $0] : [$0] }
        let beside = Array("{\"a\":\"".utf8) + escaped + Array("\",\"sub\":\"k\"}".utf8)
        require(Self.claim(Self.signed(beside), Self.checking) == [0x6B], "a text is no member")
        let within = Array("{\"sub\":\"".utf8) + escaped + Array("\",\"a\":1}".utf8)
        // An escape other than the two stays as it is spelled, and there is none.
        require(Self.claim(Self.signed(within), Self.checking) == bytes, "a claim is its text")
    }

    private static func claim(_ token: [UInt8], _ way: JWTClaimBinding) -> [UInt8]? {
        let claim = way.value(of: token.span, now: Self.now)
        require(claim == way.value(of: token.span, now: Self.now), "it says so each time")
        return claim
    }

    private static func holds(_ bytes: [UInt8], _ word: [UInt8]) -> Bool {
        bytes.indices.contains { bytes[$0...].starts(with: word) }
    }

    private static func signed(_ payload: [UInt8]) -> [UInt8] {
        let text = Self.base64(Array("{\"alg\":\"HS256\"}".utf8)) + [0x2E] + Self.base64(payload)
        var code = [UInt8](repeating: 0, count: 32)
        do throws(CryptoError) {
            var hmac = try HMACSHA256(key: Self.secret.bytes)
            var span = code.mutableSpan
            try hmac.begin()
            try hmac.update(text.span)
            try hmac.finish(into: &span)
        } catch {
            fatalError("no code: \(error)")
        }
        return text + [0x2E] + Self.base64(code)
    }

    private static func base64(_ bytes: [UInt8]) -> [UInt8] {
        var writer = ByteWriter(capacity: bytes.count * 2 + 8)
        writer.append(base64URL: bytes.span)
        return (0..<writer.count).map { writer.bytes[$0] }
    }
}
