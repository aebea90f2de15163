/// The page's script. It sends the page's own forms without a reload and puts the parts marked
/// `data-live` of the answer into the page. Without it, the forms work as forms do.
enum Script {
    static let javaScript: HTML = """
        'use strict';
        const byId = (id) => document.getElementById(id);

        function say(title, text) {
          const words = document.createElement('p'), strong = document.createElement('strong');
          strong.textContent = title;
          words.append(strong, ' ' + text);
          const notice = byId('notice');
          notice.className = 'lost';
          notice.replaceChildren(words);
          notice.scrollIntoView({ block: 'nearest' });
        }

        async function show(send) {
          document.body.classList.add('busy');
          try {
            const answer = await send();
            const words = await answer.text();
            if (!answer.ok) {
              say('No shop answered (' + answer.status + ').',
                'Start a server again, then ask again.');
              return;
            }
            const focus = document.activeElement && document.activeElement.id;
            const page = new DOMParser().parseFromString(words, 'text/html');
            for (const fresh of page.querySelectorAll('[data-live]')) {
              const old = byId(fresh.id);
              if (!old || old.outerHTML === fresh.outerHTML) continue;
              fresh.classList.add('fresh');
              old.replaceWith(fresh);
            }
            document.title = page.title;
            if (focus && byId(focus)) byId(focus).focus();
            if (byId('notice').className.includes('lost')) {
              byId('notice').scrollIntoView({ block: 'nearest' });
            }
          } catch (error) {
            say('Nobody answered.', 'Is the demo still running?');
          } finally {
            document.body.classList.remove('busy');
          }
        }

        document.addEventListener('submit', (event) => {
          event.preventDefault();
          const form = event.target;
          show(() => fetch(form.action + '?answer=parts', {
            method: 'POST', body: new URLSearchParams(new FormData(form)) }));
        });

        document.addEventListener('click', (event) => {
          if (event.target.closest('#ask')) {
            event.preventDefault();
            show(() => fetch('/?answer=parts', { cache: 'no-store' }));
          }
        });

        // As ShopName.tone and .short compute them.
        function tone(name) {
          if (/[0-9]$/.test(name)) return (Number(name.slice(-1)) + 7) % 8;
          let sum = 0;
          for (const letter of name) sum = (sum * 31 + letter.charCodeAt(0)) % 4096;
          return sum % 8;
        }
        const short = (name) => {
          const digits = /[0-9]{1,2}$/.exec(name);
          return digits ? digits[0] : name.slice(0, 2);
        };

        async function newcomer(place) {
          let name = '';
          try {
            const answer = await fetch('/whoami', { credentials: 'omit', cache: 'no-store' });
            name = answer.ok ? (await answer.text()).trim() : '';
          } catch (error) { name = ''; }
          place.className = name ? 'tone' + tone(name) : '';
          place.textContent = name ? short(name) : '×';
          place.title = name || 'no answer';
          return name || 'nobody';
        }

        byId('send-newcomers').hidden = false;
        byId('send-newcomers').addEventListener('click', async (event) => {
          event.target.disabled = true;
          const places = [...byId('newcomer-chips').children];
          for (const place of places) { place.className = ''; place.textContent = ''; }
          const names = await Promise.all(places.map(newcomer));
          const counts = new Map();
          for (const name of names.sort()) counts.set(name, (counts.get(name) || 0) + 1);
          byId('newcomer-sum').textContent =
            [...counts].map(([name, count]) => name + ': ' + count).join(' · ');
          event.target.disabled = false;
        });
        if (location.search) history.replaceState(null, '', location.pathname);
        """
}
