package import BelayCore

// How addresses are spelled in settings; how they are read stands in `Addresses`.

extension SocketAddress {
    /// As in a settings file: `:80`, `127.0.0.1:80`, `[::1]:80`.
    package var spelled: String {
        self.ip == .anyV6 ? ":\(self.port)" : self.description
    }
}

extension Network {
    /// As in a settings file: `10.0.0.0/8`, or without a length where it is one address.
    package var spelled: String {
        let lengthMax = self.address.isV4 ? 32 : 128
        let length = self.prefixLength
        return length == lengthMax ? "\(self.address)" : "\(self.address)/\(length)"
    }
}

extension Settings.ServerAddress {
    /// Reads what a settings file may have; nil: it may not.
    package init?(_ text: String) {
        guard let address = try? Scalar.serverAddress.parse(text, true) else { return nil }
        self = address
    }

    /// As in a settings file: `web1:3000`, `[::1]:3000`.
    package var spelled: String {
        self.host.utf8.contains(UInt8(ascii: ":"))
            ? "[\(self.host)]:\(self.port)" : "\(self.host):\(self.port)"
    }
}
