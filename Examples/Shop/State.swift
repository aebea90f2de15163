import FoundationEssentials

/// `/api/state`: what the page shows, for programs.
struct ShopState: Encodable {
    struct Line: Encodable {
        let product: String
        let quantity: Int
        let cents: Int
    }

    let server: String
    let startedAt: Date
    let upSeconds: Int
    let visitors: Int
    let visitorsMax: Int
    let answers: Int
    let remembersYou: Bool
    let cart: [Line]
    let cartCents: Int
    let lastAnswers: [String]
    let notice: String?

    init(_ answer: Answer) {
        self.server = answer.shop.rawValue
        self.startedAt = answer.startedAt
        self.upSeconds = answer.secondsUp
        self.visitors = answer.view.visitors
        self.visitorsMax = answer.visitorsMax
        self.answers = answer.view.answers
        self.remembersYou = answer.view.arrival == .known
        self.cart = answer.view.cart.lines.map { line in
            Line(product: line.product.id, quantity: line.quantity, cents: line.cents)
        }
        self.cartCents = answer.view.cart.cents
        self.lastAnswers = answer.trail.names.map(\.rawValue)
        self.notice = Notice(answer)?.text
    }
}

/// What happened to the visitor, in plain words.
struct Notice {
    enum Kind: String {
        case welcome
        case lost
    }

    let kind: Kind
    let title: String
    let text: String

    /// Nil where nothing happened: the server that knew the visitor answered him.
    init?(_ answer: Answer) {
        let shop = answer.shop
        switch answer.view.arrival {
        case .known:
            return nil
        case .new:
            self.kind = .welcome
            self.title = "Welcome."
            self.text = "You are new here. \(shop) took you in and remembers your cart from now on."
        case .lost(let last):
            self.kind = .lost
            guard let last, last != shop else {
                self.title = "\(shop) has forgotten you."
                self.text = """
                    It was started again, and a cart that is kept in memory does not survive that. \
                    You begin with an empty one.
                    """
                return
            }
            if answer.stopped == last {
                self.title = "You stopped \(last)."
                self.text = """
                    Its process is gone, and your cart was in its memory, so the cart is empty \
                    now. \(shop) answers you instead, and goes on doing so.
                    """
            } else {
                self.title = "Another server answers you now."
                self.text = """
                    Until now it was \(last), and your cart is in its memory. \(shop) has never \
                    seen you, so the cart is empty here.
                    """
            }
        }
    }
}
