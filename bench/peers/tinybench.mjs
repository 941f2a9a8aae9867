export { Bench } from 'tinybench'
