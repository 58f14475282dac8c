// Lints the scripts and style sheets inside pictures and pages.
//
//   node weblint.js MODULES FILE...
//
// MODULES has eslint and stylelint.  Each <script> and <style> element of a
// FILE is checked by itself.  Prints "ok   name" or "FAIL name: findings".
'use strict';
const fs = require('fs'), path = require('path'), url = require('url');
const [MODULES, ...FILES] = process.argv.slice(2);
const load = name => require(path.join(MODULES, name));

// ESLint: its recommended rules and stricter ones.  The script may use these
// globals and no others.
const { Linter } = load('eslint');
const SCRIPT = [load('@eslint/js').configs.recommended, {
  languageOptions: {
    ecmaVersion: 2019, sourceType: 'script', globals: {
      document: 'readonly', history: 'readonly', location: 'readonly',
      addEventListener: 'readonly', innerHeight: 'readonly' } },
  linterOptions: { reportUnusedDisableDirectives: 'error' },
  rules: {
    'array-callback-return': 'error', 'block-scoped-var': 'error',
    'consistent-return': 'error', 'default-case': 'error', 'eqeqeq': 'error',
    'no-eval': 'error', 'no-implicit-globals': 'error',
    'no-implied-eval': 'error', 'no-loop-func': 'error',
    'no-new-func': 'error', 'no-script-url': 'error', 'no-shadow': 'error',
    'no-throw-literal': 'error', 'no-unused-vars': 'error',
    'no-unused-expressions': 'error', 'no-use-before-define':
      ['error', { functions: false, variables: false }],
    'no-useless-concat': 'error', 'no-useless-return': 'error',
    'radix': 'error', 'strict': ['error', 'function'] },
}];

// stylelint: its recommended rules and values that the specification knows.
const SHEET = {
  extends: path.join(MODULES, 'stylelint-config-recommended'),
  rules: {
    'color-no-hex': null, 'color-no-invalid-hex': true,
    'declaration-property-value-no-unknown': true,
    'declaration-no-important': true, 'no-unknown-animations': true,
    'shorthand-property-no-redundant-values': true,
    'length-zero-no-unit': true, 'unit-no-unknown': true },
};

function say(name, findings) {
  console.log(findings.length ? 'FAIL ' + name + ': ' +
    findings.slice(0, 5).join('; ') : 'ok   ' + name);
}

// The contents of all elements called tag in text, without a CDATA wrapper.
function parts(text, tag) {
  const all = text.matchAll(new RegExp(`<${tag}\\b[^>]*>(.*?)</${tag}>`, 'gs'));
  return [...all].map(m => m[1].replace(/^<!\[CDATA\[|\]\]>$/g, ''));
}

async function main() {
  const { default: stylelint } = await import(url.pathToFileURL(
    path.join(MODULES, 'stylelint', 'lib', 'index.mjs')));
  for (const file of FILES) {
    const name = path.basename(file), text = fs.readFileSync(file, 'utf8');
    const scripts = parts(text, 'script'), sheets = parts(text, 'style');
    if (!sheets.length || (text.includes('<metadata') && !scripts.length))
      say(name, ['no style sheet or no script found']);
    for (const code of scripts)
      say(name + ', ESLint', new Linter().verify(code, SCRIPT).map(m =>
        `line ${m.line}: ${m.ruleId}: ${m.message}`));
    for (const code of sheets) {
      const { results } = await stylelint.lint({ code, config: SHEET });
      say(name + ', stylelint', results[0].warnings.map(w =>
        `line ${w.line}: ${w.text}`));
    }
  }
}

main().catch(e => say('weblint', [e.stack]));
